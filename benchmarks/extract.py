"""How fast `extract` is against a bare loop of decode plus Pose Landmarker on the same clip: the aim is 0.95.

    python benchmarks/extract.py [CLIP] [--rounds N] [--json]

The bare loop decodes with PyAV and hands every frame to one landmarker in VIDEO mode with num_poses=1 and the same
model, and keeps nothing. `extract` finds everybody, follows them and makes tracks. Both keep their loaded models from
round to round, each round runs one after the other in alternating order, and the median ratio is printed.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import av
import mediapipe
from mediapipe.tasks.python import vision
from mediapipe.tasks.python.core.base_options import BaseOptions

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.errors import UserError
from pipeline.extract import extract
from pipeline.pose import MediaPipePose
from pipeline.pose_models import resolve_model
from pipeline.settings import Settings
from pipeline.video import find_clips, open_video

AIM = 0.95
SAMPLES = Path(__file__).resolve().parents[1] / "sample_videos"


def open_landmarker(model: Path) -> vision.PoseLandmarker:
    """A bare Pose Landmarker in VIDEO mode for one person; a context manager."""
    options = vision.PoseLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(model)), running_mode=vision.RunningMode.VIDEO, num_poses=1
    )
    return vision.PoseLandmarker.create_from_options(options)


def bare(clip: str, landmarker: vision.PoseLandmarker, begin: int) -> tuple[int, int, float]:
    """Frames, frames with a body, and seconds of the bare loop; `begin` in milliseconds keeps its clock rising."""
    frames = bodies = 0
    started = time.perf_counter()
    with av.open(clip) as container:
        container.streams.video[0].thread_type = "AUTO"
        for frame in container.decode(video=0):
            picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=frame.to_ndarray(format="rgb24"))
            result = landmarker.detect_for_video(picture, begin + round(1000 * (frame.time or 0.0)))
            frames, bodies = frames + 1, bodies + bool(result.pose_landmarks)
    return frames, bodies, time.perf_counter() - started


def measure(clip: str, rounds: int, settings: Settings) -> dict[str, float | int | str]:
    """Alternate the two loops and report the medians."""
    open_video(clip, settings.video).close()  # a clip that cannot be read is told in one line
    model = resolve_model(settings.pose.model)
    plain, whole, ratios = [], [], []
    with open_landmarker(model) as landmarker, MediaPipePose(settings.pose, model) as pose:
        begin = 0
        for turn in range(-1, rounds):
            for loop in ("bare", "whole") if turn % 2 else ("whole", "bare"):
                if loop == "bare":
                    frames, bodies, seconds = bare(clip, landmarker, begin)
                    begin += 10_000_000
                    bare_fps = frames / seconds
                else:
                    started = time.perf_counter()
                    extraction = extract(clip, settings, pose=pose)
                    whole_fps = extraction.frames / (time.perf_counter() - started)
            if turn >= 0:  # the round before the first warms everything up
                plain.append(bare_fps)
                whole.append(whole_fps)
                ratios.append(whole_fps / bare_fps)
    return {
        "clip": clip,
        "frames": frames,
        "frames_with_a_body_bare": bodies,
        "sightings_extract": sum(len(track) for track in extraction.tracks),
        "tracks": len(extraction.tracks),
        "bare_fps": round(statistics.median(plain), 1),
        "extract_fps": round(statistics.median(whole), 1),
        "ratio": round(statistics.median(ratios), 3),
        "ratio_lowest": round(min(ratios), 3),
        "ratio_highest": round(max(ratios), 3),
    }


def show(result: Mapping[str, float | int | str], as_json: bool) -> None:
    """Print a result, as one JSON document or a line for each figure."""
    if as_json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name.replace('_', ' '):>28}  {value}")


def report(measured: Callable[[], Mapping[str, float | int | str]], as_json: bool, aim: float) -> int:
    """Measure and print; the exit code says whether the ratio reached the aim, 2 that nothing could be measured."""
    try:
        result = measured()
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    show(result, as_json)
    return 0 if float(result["ratio"]) >= aim else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", nargs="?", help="a clip of one person; default: the first of sample_videos")
    parser.add_argument("--rounds", type=int, default=5, help="how often both loops run (default 5)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args()
    clip = given.clip or next((str(path) for path in find_clips(SAMPLES) if path.suffix != ".npz"), None)
    if clip is None:
        print(f"no clip in {SAMPLES}: give one", file=sys.stderr)
        return 2
    return report(lambda: measure(clip, max(1, given.rounds), Settings()), given.json, AIM)


if __name__ == "__main__":
    sys.exit(main())
