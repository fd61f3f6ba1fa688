"""What each kind of training walker brings: short trainings of the prototype head, alike but for what they see.

    python -m benchmarks.ablation --config configs/train/rgb.yaml --set out=runs/rgb --set kgbd=kgbd.npz \\
        --test SHOTS --test ROUNDS --scenes configs/evaluate/kth.yaml --root DATA --steps 300

Needs the finished run in `out`, whose shots and fitted estimator it uses. Every row is a fresh encoder, trained for the
same number of steps on what its name says, and asked about people that none of them saw: the nearest track of another
shot, or in footage the nearest pass of another scene, by the cosine of the head's vectors, standardised by the
training shots.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.scenes import passes
from pipeline import population
from pipeline.config import load_config
from pipeline.errors import UserError
from pipeline.evaluate import load_protocol
from pipeline.lift import Lift
from pipeline.rgb import ESTIMATOR, film, imagine_all, lift_of, parted
from pipeline.rgb_config import RgbConfig
from pipeline.settings import Settings
from pipeline.synthetic.estimator import Estimator
from pipeline.synthetic.pairs import read_shots, walks_of
from smsge.checkpoint import load_checkpoint
from smsge.clips import Clips
from smsge.descriptors import posture_statistics
from smsge.matching import cosine, equal_error_rate, pair_scores, retrieve, standardise, statistics
from smsge.methods import embed_walks
from smsge.recipe import train_from_config
from smsge.sequence import SkeletonSequence

Sequences = list[SkeletonSequence]


def _true(sequences: Iterable[SkeletonSequence]) -> Sequences:
    return [replace(one, joints=one.truth, truth=None) for one in sequences if one.truth is not None]


def _recorded(sequences: Iterable[SkeletonSequence]) -> Sequences:
    return [one for one in sequences if one.identity.startswith("kgbd")]


def _drawn(sequences: Iterable[SkeletonSequence]) -> Sequences:
    return [one for one in sequences if not one.identity.startswith("kgbd")]


def _any_way(sequences: Iterable[SkeletonSequence]) -> Sequences:
    return [one for one in sequences if one.session.split("/")[1] not in ("rounds", "passes")]


VARIANTS: dict[str, tuple[Callable[[Sequences, Sequences], tuple[Sequences, Sequences]], float]] = {
    "all of it": (lambda filmed, imagined: (filmed, imagined), 0.1),
    "no imagined shots": (lambda filmed, imagined: (filmed, []), 0.1),
    "no rounds and no passes": (lambda filmed, imagined: (_any_way(filmed), imagined), 0.1),
    "no recorded walks": (lambda filmed, imagined: (_drawn(filmed), _drawn(imagined)), 0.1),
    "recorded walks alone": (lambda filmed, imagined: (_recorded(filmed), _recorded(imagined)), 0.1),
    "nothing filmed: the fitted model alone": (lambda filmed, imagined: ([], imagined), 0.1),
    "nothing filmed: crude noise instead of the model": (lambda filmed, imagined: ([], _true(imagined)), 0.6),
    "nothing filmed: skeletons as they are": (lambda filmed, imagined: ([], _true(imagined)), 0.0),
}
"""Of the filmed and the imagined shots, which are trained on; and the noise on joints, in deviations."""


def scenes(path: Path, root: Path, cache: Path | None, settings: Settings, lift: Lift, frames: int) -> Sequences:
    """Every pass of the protocol's footage, its session the scene."""
    protocol = load_protocol(path, root)
    return [
        replace(one, session=scene)
        for scene, takes in (("enrol", protocol.enrol), *protocol.probes.items())
        for track in population.walks_of(population.read_takes(takes, settings, cache), settings, lift, frames).lifted
        for one in passes(track, frames)
    ]


def row(config: RgbConfig, sequences: tuple[Sequences, Sequences], validation: Sequences, fps: float, noise: float,
        steps: int, tests: list[Sequences], usual: Sequences) -> list[str]:  # fmt: skip
    """Rank-1, mAP and equal error rate on each test."""
    frames = config.encoder.frames
    strides = [config.stride] * len(sequences[0]) + [config.imagined.stride] * len(sequences[1])
    stage = config.stage("prototypes")
    with tempfile.TemporaryDirectory() as folder:
        run = replace(
            stage, out=folder, prototypes=replace(stage.prototypes, start=None, noise=noise),
            schedule=replace(stage.schedule, steps=steps, checkpoint_every=steps),
        )  # fmt: skip
        parts = Clips.of([*sequences[0], *sequences[1]], frames, strides), Clips.of(validation, frames, 10), fps
        checkpoint = load_checkpoint(train_from_config(run, parts=parts))
    base = statistics(embed_walks(checkpoint, usual))
    return [figures(standardise(embed_walks(checkpoint, test), *base), test) for test in tests]


def figures(vectors: np.ndarray, test: Sequences) -> str:
    """Two cells of a Markdown row."""
    people, shots = (np.array([getattr(one, key) for one in test]) for key in ("identity", "session"))
    similarity = cosine(vectors, vectors)
    found = retrieve(similarity, people, people, shots, shots, ranks=(1,))
    genuine, impostor = pair_scores(similarity, people, people, shots, shots)
    return f"{100 * found.rank[1]:.1f} | {100 * found.mean_ap:.1f} | {100 * equal_error_rate(genuine, impostor)[0]:.1f}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablation", description=__doc__.split("\n")[0])
    parser.add_argument("--config", type=Path, default=Path("configs/train/rgb.yaml"))
    parser.add_argument("--set", action="append", default=[], dest="changes", metavar="KEY=VALUE")
    parser.add_argument("--test", action="append", required=True, type=Path, help="a folder of shots; again for more")
    parser.add_argument("--scenes", type=Path, help="a protocol, as `pipeline.evaluate` reads it, to ask too")
    parser.add_argument("--root", type=Path, default=Path(), help="where the protocol's clips lie")
    parser.add_argument("--cache", type=Path, help="a folder for extracted skeletons")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--only", action="append", help="a row by its name; again for more")
    options = parser.parse_args()
    try:
        config = load_config(RgbConfig, options.config, options.changes)
        settings = Settings()
        groups = parted(config, film(config, settings))
        estimator = Estimator.load(Path(config.out) / ESTIMATOR)
        lift = lift_of(groups["train"])
        filmed, validation = (walks_of(groups[name], lift).lifted for name in ("train", "validation"))
        imagined = list(imagine_all(config, estimator, lift))
        tests = [walks_of(read_shots(folder, settings, config.encoder.frames), lift).lifted for folder in options.test]
        names = [folder.name for folder in options.test]
        if options.scenes is not None:
            read = scenes(options.scenes, options.root, options.cache, settings, lift, config.encoder.frames)
            tests, names = [*tests, read], [*names, options.scenes.stem]
        heading = " | ".join(f"{name}: Rank-1 | mAP | EER" for name in names)
        print(f"| trained on | tracks | {heading} |\n{'|---' * (2 + 3 * len(tests))}|")
        base = statistics(np.stack([posture_statistics(one) for one in filmed]))
        plain = [standardise(np.stack([posture_statistics(one) for one in test]), *base) for test in tests]
        cells = [figures(vectors, test) for vectors, test in zip(plain, tests, strict=True)]
        print(f"| posture statistics | - | {' | '.join(cells)} |", flush=True)
        for name, (choose, noise) in VARIANTS.items():
            if options.only and name not in options.only:
                continue
            chosen = choose(filmed, imagined)
            cells = row(config, chosen, validation, estimator.fps, noise, options.steps, tests, filmed)
            print(f"| {name} | {sum(map(len, chosen))} | {' | '.join(cells)} |", flush=True)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
