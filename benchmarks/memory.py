"""How much more memory half an hour of video takes than a minute of it: the aim is at most 50 MB.

    python benchmarks/memory.py [--minutes N] [--fps F] [--scripted] [--json]

A sample clip of one person who never leaves the picture, again and again, is extracted in a process of its own, once
for a minute and once for N minutes (30), and the most memory that each process ever had (VmHWM of /proc, so Linux
only) is printed with what its tracks hold. By default the clip is slowed to 5 frames a second, of which there are fewer
to pose, yet as many as it takes to follow somebody; with --scripted, it has its own 25 frames a second and everything
but MediaPipe runs: decoding, tracking, a person in every frame.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.repeated import repeated
from pipeline.errors import UserError
from pipeline.extract import extract
from pipeline.pose import PoseEstimator
from pipeline.values import Frame, Person

AIM = 50.0  # MB
SLOWED = 5.0  # frames a second
CLIP, FRAMES, FPS = Path(__file__).resolve().parents[1] / "sample_videos" / "people" / "Alva" / "loop.mp4", 190, 25.0


class Scripted:
    """Somebody who walks to and fro, without a look at the picture."""

    def __enter__(self) -> "Scripted":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""

    def __call__(self, frame: Frame) -> list[Person]:
        image, world = self._body[:, :2] * 100 + (200 + 100 * math.sin(frame.time / 3), 100), self._body - 0.5
        image, world = image.astype(np.float32), world.astype(np.float32)
        box = np.concatenate([image.min(axis=0), image.max(axis=0)])
        return [Person(box, image, world, np.ones(33, np.float32))]

    _body = np.random.default_rng(0).random((33, 3))


def extracted(clip: str, pose: PoseEstimator | None) -> dict[str, float]:
    """Extracts `clip` here, and says how much memory this process had at the most, in MB."""
    tracks = extract(clip, pose=pose).tracks
    with open("/proc/self/status") as file:
        most = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    arrays = [array for track in tracks for array in vars(track).values() if isinstance(array, np.ndarray)]
    return {
        "sightings": sum(len(track) for track in tracks),
        "tracks": len(tracks),
        "landmarks": sum(array.nbytes for array in arrays) / 2**20,
        "most": most / 1024,
    }


def measure(minutes: float, fps: float, scripted: bool) -> dict[str, float]:
    """A minute and `minutes` of the same, each in a process of its own."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, length in (("a_minute", 1.0), ("all", minutes)):
            times = math.ceil(length * 60 * fps / FRAMES)
            clip = repeated(CLIP, Path(folder) / f"{name}.mp4", times, fps)
            command = [sys.executable, __file__, "--child", str(clip), *(["--scripted"] if scripted else [])]
            child = subprocess.run(command, check=True, stdout=subprocess.PIPE)
            told = json.loads(child.stdout)
            figures[f"minutes_{name}"] = round(times * FRAMES / fps / 60, 1)
            for key, value in told.items():
                figures[f"{key}{'_MB' if isinstance(value, float) else ''}_{name}"] = round(value, 1)
    figures["growth_MB"] = round(figures["most_MB_all"] - figures["most_MB_a_minute"], 1)
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="of the long video (default 30)")
    parser.add_argument("--fps", type=float, help="of both videos (default 5, with --scripted 25)")
    parser.add_argument("--scripted", action="store_true", help="everything but MediaPipe")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(extracted(given.child, Scripted() if given.scripted else None)))
        return 0
    try:
        figures = measure(given.minutes, given.fps or (FPS if given.scripted else SLOWED), given.scripted)
    except (UserError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 2
    if given.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name.replace('_', ' '):>24}  {value}")
    return 0 if figures["growth_MB"] <= AIM else 1


if __name__ == "__main__":
    sys.exit(main())
