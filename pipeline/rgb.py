"""From walkers, drawn and recorded, to an encoder for footage: one run, which goes on where it was stopped.

    reid train --config configs/train/rgb.yaml --set kgbd=kgbd.npz

Shots of both kinds of walkers go through the real pose estimator. Two things are fitted to them: a model of what it
does to a body, which shows many more walkers, who are never rendered, and the lift, the way back. SM-SGE learns from
all of them, first to reconstruct, then to tell people apart, and goes half of the second way; at last discriminants are
fitted to the shots, and weights and thresholds to those of people whom nothing else was fitted to.
"""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.calibrate import Described, calibrate, described, write_calibrated
from pipeline.lift import Lift, fit_lift
from pipeline.rgb_config import RgbConfig
from pipeline.settings import Settings
from pipeline.synthetic.estimator import Estimator, fit_estimator
from pipeline.synthetic.imagined import imagined_shots, walked_joints
from pipeline.synthetic.pairs import Shown, read_shots, walks_of
from pipeline.synthetic.shots import Cast, Drawn, Passes, Rounds, Walked, make_shots
from pipeline.synthetic.skeletons import population_skeletons
from pipeline.values import Progress, silent
from smsge.checkpoint import Checkpoint, load_checkpoint
from smsge.clips import Clips
from smsge.config import parse_people
from smsge.datasets.kgbd import read_kgbd
from smsge.layouts import CASIA14
from smsge.recipe import train_from_config
from smsge.sequence import SkeletonSequence

ENCODERS = {"reconstruction": "selfsupervised.safetensors", "prototypes": "default.safetensors"}
"""What the calibrated encoder of each objective is called in the run's folder."""

ESTIMATOR = "estimator.npz"


def train_rgb(config: RgbConfig, resume: bool = False, progress: Progress = silent) -> list[Path]:
    """Runs every stage and gives the calibrated encoders, the self-supervised one first.

    Shots that are there already are kept, always; with `resume` training goes on from its last checkpoint. Raises
    DatasetError, CheckpointError, ConfigError, PoseModelError.
    """
    out, settings = Path(config.out), Settings()
    shown = film(config, settings, progress)
    groups = parted(config, shown)
    estimator = fit_estimator([pair for one in groups["train"] for pair in one.pairs])
    estimator.save(out / ESTIMATOR)
    lift = lift_of(groups["train"], progress)
    imagined = list(imagine_all(config, estimator, lift, progress))
    train, validation = (walks_of(groups[name], lift).lifted for name in ("train", "validation"))
    strides = [config.stride] * len(train) + [config.imagined.stride] * len(imagined)
    frames = config.encoder.frames
    parts = Clips.of([*train, *imagined], frames, strides), Clips.of(validation, frames, config.stride), estimator.fps
    calibrated_on = groups["train"] + groups["validation"], groups["calibration"]
    done: list[Path] = []
    learned: list[Checkpoint] = []
    for objective, name in ENCODERS.items():
        weights = train_from_config(config.stage(objective), resume=resume, progress=progress, parts=parts)
        learned.append(load_checkpoint(weights))
        trained = half_way(learned[0], learned[-1])  # of the first step: itself
        fitted, held = (_described(trained, lift, part, progress) for part in calibrated_on)
        done.append(write_calibrated(trained, calibrate(fitted, held, progress), out / name, lift))
    return done


def half_way(first: Checkpoint, last: Checkpoint) -> Checkpoint:
    """`last` with an encoder in the middle between its own and that of `first`, from which it was trained on.

    Telling rendered people apart better and better, an encoder learns how they are rendered too. On data that is unlike
    the data it was tuned to, the mean of the weights before and after is better than either or nearly so, and on data
    that is like it hardly worse: Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022.
    """
    model, before = copy.deepcopy(last.model), first.model.state_dict()
    model.load_state_dict({key: (before[key] + value) / 2 for key, value in last.model.state_dict().items()})
    return replace(last, model=model)


def _described(trained: Checkpoint, lift: Lift, shown: list[Shown], progress: Progress) -> Described:
    views, kinds = np.stack([one.view for one in shown]), np.array([one.kind for one in shown])
    return described(trained, walks_of(shown, lift), views, kinds, progress)


def parted(config: RgbConfig, shown: Iterable[Shown]) -> dict[str, list[Shown]]:
    """The shots of those who are trained on, and of the drawn people kept for validation and for calibration."""
    places = {name: number for number, name in enumerate(drawn_names(config))}
    kept = config.trained
    groups: dict[str, list[Shown]] = {"train": [], "validation": [], "calibration": []}
    for one in shown:
        place = places.get(one.sequence.identity, 0)
        group = "train" if place < kept else "validation" if place < kept + config.validation else "calibration"
        groups[group].append(one)
    return groups


def drawn_names(config: RgbConfig) -> list[str]:
    """What the drawn people are called, from the first."""
    return [f"drawn_{number:04d}" for number in range(1, config.drawn + 1)]


def film(config: RgbConfig, settings: Settings, progress: Progress = silent) -> list[Shown]:
    """All shots, made where they are not there yet, as a search sees them.

    Raises DatasetError where KGBD is not where the configuration says, UserError, PoseModelError.
    """
    out, drawn, shots = Path(config.out), drawn_names(config), config.shots
    casts: list[tuple[Cast, str, list[str], int]] = [
        (Drawn(config.seed), "drawn", drawn, shots.drawn),
        (Rounds(config.seed), "rounds", drawn, shots.rounds),
        (Passes(config.seed), "passes", drawn, shots.passes),
    ]
    if config.kgbd is not None:
        people = tuple(sorted(parse_people(config.walked, "walked")))
        # A wrong path is told before an hour's filming.
        read_kgbd(config.kgbd, "kinect20", None, people[:1], "recorded")
        recorded = Walked(config.recorded_seed, config.kgbd, people)
        casts.append((recorded, "walked", [recorded_name(person) for person in people], shots.walked))
    shown = []
    for cast, kind, names, count in casts:
        if count == 0:
            continue
        make_shots(out / kind, cast, names, range(1, count + 1), workers=config.workers, progress=progress)
        filmed = read_shots(out / kind, settings, config.encoder.frames, progress)
        # A run of before may have filmed more people, who would be trained on beside those asked for.
        shown += [one for one in filmed if one.sequence.identity in names]
    return shown


def recorded_name(person: int) -> str:
    """What a person of KGBD is called."""
    return f"kgbd_{person:03d}"


def lift_of(shown: Iterable[Shown], progress: Progress = silent) -> Lift:
    """The lift fitted to the shots of those who are trained on."""
    pairs = [pair for one in shown for pair in one.pairs]
    seen, true = (np.concatenate([getattr(pair, name) for pair in pairs]) for name in ("seen", "true"))
    return fit_lift(seen, true, progress=progress)


def imagine_all(
    config: RgbConfig, estimator: Estimator, lift: Lift, progress: Progress = silent
) -> Iterator[SkeletonSequence]:
    """The shots that are never rendered, of the recorded people and of the drawn ones, none of whom is kept from
    training."""
    told, filmed = config.imagined, config.trained
    for person, walks in _recorded_walks(config, estimator.fps):
        seed = [config.recorded_seed, 2, person]
        yield from imagined_shots(walks, estimator, lift, recorded_name(person), told.recorded_views,
                                  told.seconds, seed)  # fmt: skip
    numbers = [*range(1, filmed + 1), *range(config.drawn + 1, config.drawn + 1 + max(told.people - filmed, 0))]
    for done, person in enumerate(numbers[: told.people], start=1):
        walks = [
            walk.joints.astype(np.float64)
            for walk in population_skeletons(config.seed, [person], told.sessions, CASIA14, estimator.fps,
                                             told.seconds + 1, form="canonical")
        ]  # fmt: skip
        seed = [config.seed, 1, person]
        yield from imagined_shots(walks, estimator, lift, f"drawn_{person:04d}", told.views, told.seconds, seed)
        progress("imagining walkers", done, told.people)


def _recorded_walks(config: RgbConfig, fps: float) -> Iterator[tuple[int, list[np.ndarray]]]:
    if config.kgbd is None or config.imagined.recorded_views == 0:
        return
    people = parse_people(config.walked, "walked")
    found: dict[str, list[np.ndarray]] = {}
    for walk in read_kgbd(config.kgbd, "kinect20", None, people, "recorded"):
        found.setdefault(walk.identity, []).append(walk.joints.astype(np.float64))
    for identity, walks in found.items():
        generator = np.random.default_rng([config.recorded_seed, int(identity)])  # the same body as in the shots
        yield int(identity), walked_joints(walks, fps, generator)
