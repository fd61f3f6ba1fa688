"""What the pose estimator makes of walkers who are known: bias and noise by joint, view, tilt and size.

    python -m benchmarks.estimator_errors runs/rgb/drawn runs/rgb/walked [--lifted-by default]

Folders are of `pipeline.synthetic.shots`. Errors are of skeletons after `pipeline.normalize.steady`, or after the lift
of an encoder too, in thousandths of the body's own stature (about 1.5 mm), in the axes of the ray to the person: across
it, up, and in depth.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from pipeline.embed import load_embedder
from pipeline.errors import UserError
from pipeline.lift import Lift
from pipeline.settings import EncoderSettings, Settings
from pipeline.skeletons import load_skeletons
from pipeline.synthetic.estimator import Pair, exchanged, facing, fit_estimator
from pipeline.synthetic.pairs import read_shots
from smsge.layouts import CASIA14

AXES = ("across", "up", "depth")


def errors(pair: Pair) -> np.ndarray:
    """(T, 14, 3) in thousandths of a stature."""
    return 1000.0 * (pair.seen - pair.true)


def by_joint(pairs: Sequence[Pair]) -> str:
    """Bias, spread of the shots' means, spread over time, and its correlation from one skeleton to the next."""
    lines = [f"| joint | {' | '.join(f'{what}: {axis}' for what in ('bias', 'lasting', 'moving') for axis in AXES)} "
             "| correlation |", "|---" * 11 + "|"]  # fmt: skip
    means = np.stack([errors(pair).mean(axis=0) for pair in pairs])
    rest = [errors(pair) - mean for pair, mean in zip(pairs, means, strict=True)]
    moving = np.sqrt(np.mean([(one**2).mean(axis=0) for one in rest], axis=0))
    follow = [sum((one[1:, j] * one[:-1, j]).sum() for one in rest) / sum((one[:-1, j] ** 2).sum() for one in rest)
              for j in range(14)]  # fmt: skip
    for j, name in enumerate(CASIA14.joints):
        cells = [f"{value:.0f}" for value in (*means[:, j].mean(axis=0), *means[:, j].std(axis=0), *moving[j])]
        lines.append(f"| {name} | {' | '.join(cells)} | {follow[j]:.2f} |")
    return "\n".join(lines)


def by_group(pairs: Sequence[Pair], name: str, value: Callable[[Pair], float], edges: Sequence[float]) -> str:
    """Root mean squares across and in depth, error of the direction faced, and legs taken for each other."""
    lines = [
        f"| {name} | stretches | across | up | depth | facing, median | facing, 90 % below | legs exchanged a second |",
        "|---" * 8 + "|",
    ]
    values = np.array([value(pair) for pair in pairs])
    for low, high in pairwise(edges):
        chosen = [pair for pair, one in zip(pairs, values, strict=True) if low <= one < high]
        if not chosen:
            continue
        sizes = np.sqrt(np.mean([(errors(pair) ** 2).mean(axis=(0, 1)) for pair in chosen], axis=0))
        turned = [np.degrees(np.abs(np.angle(np.exp(1j * (facing(pair.seen, pair.fps) - facing(pair.true, pair.fps))))))
                  .mean() for pair in chosen]  # fmt: skip
        begun = sum(int((np.diff(exchanged(pair).astype(int)) == 1).sum()) + int(exchanged(pair)[0]) for pair in chosen)
        seconds = sum(len(pair.seen) / pair.fps for pair in chosen)
        cells = [f"{size:.0f}" for size in sizes] + [f"{angle:.0f}°" for angle in np.percentile(turned, (50, 90))]
        lines.append(f"| {low:g} to {high:g} | {len(chosen)} | {' | '.join(cells)} | {begun / seconds:.2f} |")
    return "\n".join(lines)


def missed(folders: Sequence[Path]) -> str:
    """How much of what was filmed has no skeleton at all."""
    shots = [load_skeletons(path) for folder in folders for path in sorted(folder.glob("people/*/shot_*.npz"))]
    shares = np.array([1 - max((len(track) for track in shot.tracks), default=0) / shot.frames for shot in shots])
    return (f"{len(shots)} shots: nobody is found in {100 * np.mean(shares == 1):.1f} %; where somebody is, they are "
            f"missing in {100 * shares[shares < 1].mean():.1f} % of the frames")  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.estimator_errors", description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--lifted-by", metavar="ENCODER", help="whose lift is taken; without it skeletons stay as seen")
    options = parser.parse_args()
    try:
        shown = [one for folder in options.folders for one in read_shots(folder, Settings(), 20)]
        name = options.lifted_by
        lift = Lift() if name is None else load_embedder(EncoderSettings(weights=name)).lift
        pairs = [replace(pair, seen=lift(pair.seen)) for one in shown for pair in one.pairs]
        model = fit_estimator(pairs)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    azimuth = lambda pair: abs(np.degrees(np.angle(np.exp(1j * facing(pair.true, pair.fps)).mean())))  # noqa: E731
    tilt = lambda pair: np.degrees(np.arcsin(np.clip(pair.up[2], -1, 1)))  # noqa: E731
    spread = [f"{name} {1000 * np.sqrt((factor**2).sum(axis=1).mean()):.0f}" for name, factor in
              (("person", model.person), ("shot", model.shot), ("noise", model.noise))]  # fmt: skip
    print(missed(options.folders))
    print(f"\n{by_joint(pairs)}\n\n{by_group(pairs, 'azimuth', azimuth, range(0, 181, 30))}")
    print(f"\n{by_group(pairs, 'camera above, degrees', tilt, (-10, 10, 20, 30, 50))}")
    print(f"\n{by_group(pairs, 'height in pixels', lambda pair: pair.height, (20, 60, 90, 120, 160, 260))}")
    print(f"\nthe fitted model: {', '.join(spread)}; growth {model.growth:.2f}, stretch {model.stretch:.2f}, "
          f"{model.swaps:.2f} exchanges a second of {model.swap_seconds:.2f} s")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
