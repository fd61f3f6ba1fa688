"""How many poses a second `extract` finds of four people, against a bare loop over ready-made crops: the aim is 0.9.

    python benchmarks/poses.py [--rounds N] [--json]

The clip is four of the sample clips side by side, 1280 x 720: four rendered people in view all the time. `extract`
decodes it, finds the four, follows them and makes tracks; its poses are the tracks' sightings. The bare loop does
nothing but pose those very sightings, each person's with a landmarker of their own in VIDEO mode with the same model,
one after the other, in crops as large as `extract` cuts them, which lie in memory. Both keep their loaded models from
round to round, the rounds alternate, and the median ratio is printed.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import mediapipe
import numpy as np
from mediapipe.tasks.python import vision

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.extract import SAMPLES, open_landmarker, report
from pipeline.cores import share_of_cores
from pipeline.extract import extract
from pipeline.followed import ROOM
from pipeline.people import window_around
from pipeline.pose import MediaPipePose
from pipeline.pose_models import resolve_model
from pipeline.settings import Settings
from pipeline.values import PoseTrack
from pipeline.video import open_video
from pipeline.video_writer import VideoWriter

AIM = 0.9
PEOPLE = ("Alva", "Bero", "Cila", "Doran")

Crops = list[tuple[int, float, np.ndarray]]
"""(whose, at what time in seconds, the picture (h, w, 3) uint8), in the order in which they are posed."""


def four_people(path: Path) -> Path:
    """Writes the sample clips of four people, two above two, as one clip."""
    with ExitStack() as stack:
        videos = [stack.enter_context(open_video(SAMPLES / "people" / name / "loop.mp4")) for name in PEOPLE]
        width, height, fps = videos[0].info.width, videos[0].info.height, videos[0].info.fps
        writer = stack.enter_context(VideoWriter(path, 2 * width, 2 * height, fps))
        for a, b, c, d in zip(*videos, strict=True):
            writer.write(np.block([[[a.rgb], [b.rgb]], [[c.rgb], [d.rgb]]]), a.time)
    return path


def ready_made(clip: Path, tracks: Sequence[PoseTrack]) -> Crops:
    """Everybody's crop in every frame in which they were seen."""
    crops: Crops = []
    with open_video(clip) as video:
        for frame in video:
            for track in tracks:
                for row in np.flatnonzero(track.frames == frame.index):
                    x0, y0, x1, y1 = track.boxes[row]
                    middle, side = np.array([x0 + x1, y0 + y1]) / 2, ROOM * max(x1 - x0, y1 - y0)
                    left, top, right, bottom = window_around(middle, side, video.info.width, video.info.height)
                    crop = np.ascontiguousarray(frame.rgb[top:bottom, left:right])
                    crops.append((track.id, frame.time, crop))
    return crops


def bare(crops: Crops, landmarkers: dict[int, vision.PoseLandmarker], begin: int) -> tuple[int, float]:
    """Poses found and seconds of the bare loop; `begin` in milliseconds keeps the landmarkers' clocks rising."""
    poses = 0
    started = time.perf_counter()
    for whose, moment, crop in crops:
        picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=crop)
        result = landmarkers[whose].detect_for_video(picture, begin + round(1000 * moment))
        poses += bool(result.pose_landmarks)
    return poses, time.perf_counter() - started


def measure(folder: Path, rounds: int, settings: Settings) -> dict[str, float | int | str]:
    """Alternate the two loops and report the medians."""
    model = resolve_model(settings.pose.model)
    clip = four_people(folder / "four.mp4")
    plain, whole, ratios = [], [], []
    with ExitStack() as stack:
        pose = stack.enter_context(MediaPipePose(settings.pose, model))
        tracks = extract(clip, settings, pose=pose).tracks  # warms it up as well
        crops = ready_made(clip, tracks)
        landmarkers = {track.id: stack.enter_context(open_landmarker(model)) for track in tracks}
        bare(crops[: 5 * len(tracks)], landmarkers, 0)
        for turn in range(rounds):
            for loop in ("bare", "whole") if turn % 2 else ("whole", "bare"):
                if loop == "bare":
                    poses, seconds = bare(crops, landmarkers, (turn + 1) * 10_000_000)
                    plain.append(poses / seconds)
                else:
                    started = time.perf_counter()
                    found = sum(len(track) for track in extract(clip, settings, pose=pose).tracks)
                    whole.append(found / (time.perf_counter() - started))
            ratios.append(whole[-1] / plain[-1])
    return {
        "people": len(PEOPLE),
        "tracks": len(tracks),
        "crops": len(crops),
        "poses_bare": poses,
        "poses_extract": found,
        "threads_extract": share_of_cores(),
        "bare_poses_a_second": round(statistics.median(plain), 1),
        "extract_poses_a_second": round(statistics.median(whole), 1),
        "ratio": round(statistics.median(ratios), 3),
        "ratio_lowest": round(min(ratios), 3),
        "ratio_highest": round(max(ratios), 3),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often both loops run (default 3)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return report(lambda: measure(Path(folder), max(1, given.rounds), Settings()), given.json, AIM)


if __name__ == "__main__":
    sys.exit(main())
