"""How fast two workers of `reid batch` are against two bare loops side by side: the aim is 0.9.

    python benchmarks/workers.py [--seconds S] [--json]

Four sample clips of one person each, repeated to S seconds (45). The bare loops are two processes, each of which reads
two of them and hands every frame to one landmarker, as in extract.py. Then `batch` enrols all four into an empty
gallery with two workers: it reads the files' sha256, finds and follows people, judges, normalises and encodes them, and
writes the gallery and the results. Frames a second are counted from the first frame of the first clip to the end of the
last; the time that processes take to start, in which torch and the models are loaded, is told beside it, and in
`ratio_with_start` it counts.
"""

import argparse
import math
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.extract import SAMPLES, bare, open_landmarker, report
from benchmarks.repeated import repeated
from pipeline.batch import Read, batch, read_clips
from pipeline.crew import Alive
from pipeline.errors import UserError
from pipeline.opening import open_gallery
from pipeline.pose_models import resolve_model
from pipeline.probes import Reading
from pipeline.settings import Settings

AIM = 0.9
PEOPLE, FRAMES, FPS, WORKERS = ("Alva", "Bero", "Cila", "Doran"), 190, 25.0, 2


def stamped(folder: Path, work: Callable[[], None], clip: str) -> None:
    """Does `work`, and notes in `folder` when it began and ended, in seconds since 1970."""
    began = time.time()
    work()
    (folder / f"{Path(clip).stem}.seconds").write_text(f"{began} {time.time()}")


def busy(folder: Path) -> float:
    """Seconds from the first beginning to the last end that is noted in `folder`; the notes go."""
    notes = list(folder.glob("*.seconds"))
    spans = [[float(moment) for moment in note.read_text().split()] for note in notes]
    for note in notes:
        note.unlink()
    return max(end for _, end in spans) - min(begin for begin, _ in spans)


def bare_loop(clips: list[str], model: Path, notes: Path) -> None:
    """What one of the two processes does."""
    with open_landmarker(model) as landmarker:
        for number, clip in enumerate(clips):
            stamped(notes, partial(bare, clip, landmarker, number * 10_000_000), clip)


def stamped_read(notes: Path, settings: Settings) -> Read:
    """What `read_clips` does in a worker, noted; its models are loaded at the start, as a bare loop's is."""
    read = read_clips(settings)
    read(str(SAMPLES / "search" / "nobody.mp4"), lambda: None)

    def noted(source: str, alive: Alive) -> tuple[float, Reading]:
        answers: list[tuple[float, Reading]] = []
        stamped(notes, lambda: answers.append(read(source, alive)), source)
        return answers[0]

    return noted


def measure(folder: Path, seconds: float, settings: Settings) -> dict[str, float | int | str]:
    """First the bare loops, then the batch."""
    model = resolve_model(settings.pose.model)
    times = math.ceil(seconds * FPS / FRAMES)
    (folder / "clips").mkdir()
    clips = [
        str(repeated(SAMPLES / "people" / name / "loop.mp4", folder / "clips" / f"{name}.mp4", times))
        for name in PEOPLE
    ]
    frames = len(clips) * times * FRAMES
    began = time.perf_counter()
    context = multiprocessing.get_context("spawn")
    loops = [context.Process(target=bare_loop, args=(clips[n::WORKERS], model, folder)) for n in range(WORKERS)]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join()
    bare_whole, bare_busy = time.perf_counter() - began, busy(folder)
    with open_gallery(folder / "people.db", settings) as gallery:
        result = batch(
            folder / "clips", folder / "out", gallery=gallery, mode="enroll", workers=WORKERS, settings=settings,
            make_read=partial(stamped_read, folder),
        )  # fmt: skip
    if result.failures:
        raise UserError(f"{result.failures[0][0]}: {result.failures[0][1]}")
    batch_busy = busy(folder)
    return {
        "clips": len(clips),
        "frames": frames,
        "bare_fps": round(frames / bare_busy, 1),
        "batch_fps": round(frames / batch_busy, 1),
        "start_and_end_bare_s": round(bare_whole - bare_busy, 1),
        "start_and_end_batch_s": round(result.seconds - batch_busy, 1),
        "ratio_with_start": round(bare_whole / result.seconds, 3),
        "ratio": round(bare_busy / batch_busy, 3),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=45.0, help="of each clip (default 45)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return report(lambda: measure(Path(folder), given.seconds, Settings()), given.json, AIM)


if __name__ == "__main__":
    sys.exit(main())
