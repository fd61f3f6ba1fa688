"""The splits of the field's protocols: what may be learned from, who is known, and who is asked for.

The names, as data, are `smsge.datasets.PROTOCOLS`. Entries of a probe's own session are left out of its gallery by
whoever matches (`smsge.matching.retrieve`), so the sessions of a split say what may answer what.

kgbd (Andersson and Araujo's 164 people, whole walks)
  last-walk      probe: everybody's last walk; gallery and training: all their other walks.
  disjoint       training: every walk of the training people (1 to 132); of the test people (133 to 164) the last walk
                 is probe, the others are gallery. Nobody who is matched was trained on.
  open-gallery   training: the training people's walks but their last; gallery: everybody's walks but the last; probe:
                 everybody's last.
kgbd-arrays, ks20, ias, biwi, casia-b: clips as the arrays divide them (Rao et al.). Gallery is the training part,
as for the classifier of SM-SGE, except where another is named here.
  given          probe: the test part.
  A, B           IAS-A or IAS-B is probe; Still, Walking: likewise of BIWI.
  A-B, …         probe-gallery: IAS-A is probe and IAS-B gallery, and so on, as SimMC and later report direct matching.
  random         KS20: one walk a direction and person is probe.
  cross-view     a split for each view (KS20 5, CASIA-B 11): the probes are of that view, the training part of others.
  cross-condition  CASIA-B, probe-gallery N-N, B-B, C-C, C-N and B-N of normal, bag and clothes: both are test parts, of
                 people who are not in the training part. Where both are the same part, a clip is matched against all
                 other recordings of it; the arrays do not tell clips of one walk that do not overlap, so that, as in
                 the published figures, such clips may answer each other.
Where the arrays have a `gallery` part beside `probe` (the later spelling of KGBD and KS20), that is the gallery.
footage
  last-session   probe: each person's last session by name; gallery and training: their sessions before.
Whoever has a single session is no probe, but is in the gallery.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from smsge.datasets import PROTOCOLS as PROTOCOLS
from smsge.datasets.arrays import GALLERY, TEST, TRAIN, ArrayFolder
from smsge.datasets.biwi import open_biwi
from smsge.datasets.casia_b import CONDITIONS, open_casia_b
from smsge.datasets.casia_b import VIEWS as CASIA_B_VIEWS
from smsge.datasets.ias import open_ias
from smsge.datasets.kgbd import read_kgbd
from smsge.datasets.kgbd_arrays import open_kgbd_arrays
from smsge.datasets.ks20 import VIEWS as KS20_VIEWS
from smsge.datasets.ks20 import open_ks20
from smsge.errors import DatasetError
from smsge.layouts import LAYOUTS
from smsge.sequence import SkeletonSequence

TRAIN_PEOPLE, TEST_PEOPLE = range(1, 133), range(133, 165)

_SEVERAL: dict[tuple[str, str], tuple[str, ...]] = {
    ("ks20", "cross-view"): tuple(map(str, KS20_VIEWS)),
    ("casia-b", "cross-view"): tuple(map(str, CASIA_B_VIEWS)),
    ("casia-b", "cross-condition"): ("N-N", "B-B", "C-C", "C-N", "B-N"),
}
"""The splits of those protocols that have several."""

Sequences = tuple[SkeletonSequence, ...]


@dataclass(frozen=True)
class Reading:
    """How sequences are wanted. layout: by name; frames: of a clip; fps: skeletons a second, None for the dataset's
    own; form: one of `smsge.config.FORMS`."""

    layout: str
    frames: int
    fps: float | None = None
    form: str = "canonical"


@dataclass(frozen=True)
class Split:
    """train: what anything may learn from; it never holds a recording of a probe. gallery: who is known; probe: who is
    asked for. name: the protocol's, and behind a slash which of its splits it is."""

    name: str
    train: Sequences
    gallery: Sequences
    probe: Sequences


@dataclass(frozen=True)
class _Plan:
    """A split of arrays that is still to be read, by the parts of its folder; gallery None: `gallery`, else `train`."""

    name: str
    folder: ArrayFolder
    probe: str
    gallery: str | None = None


def splits(
    dataset: str,
    data: str | Path | Sequence[SkeletonSequence],
    protocol: str,
    reading: Reading,
    train_people: Collection[int] = TRAIN_PEOPLE,
    test_people: Collection[int] = TEST_PEOPLE,
) -> list[Split]:
    """The splits of a protocol, all of them or, as `cross-view/3`, the one of that name.

    data: where the dataset is; for footage, its sequences. train_people, test_people: for `disjoint` and
    `open-gallery` of kgbd, by number.

    Raises DatasetError where dataset or protocol is unknown, the data is not in its form or leaves a part of a split
    empty, or a sequence is shorter than a clip.
    """
    known = PROTOCOLS.get(dataset)
    if known is None:
        raise DatasetError(f"{dataset!r} is not a dataset, choose from {', '.join(PROTOCOLS)}")
    kind, _, only = protocol.partition("/")
    of_kind = tuple(f"{kind}/{name}" for name in _SEVERAL.get((dataset, kind), ()))
    if protocol not in (*known, *of_kind):
        choice = of_kind if only and of_kind else known
        raise DatasetError(f"{dataset} has no protocol {protocol!r}, choose from {', '.join(choice)}")
    if reading.layout not in LAYOUTS:
        raise DatasetError(f"{reading.layout!r} is not a skeleton layout, choose from {', '.join(LAYOUTS)}")
    if dataset == "footage":
        made = _footage(data, protocol, reading)
    elif not isinstance(data, str | Path):
        raise DatasetError(f"{dataset} is read from where it lies: give its path, not its sequences")
    elif dataset == "kgbd":
        made = _kgbd(data, protocol, reading, train_people, test_people)
    else:
        made = _read(_plans(dataset, data, protocol, reading.frames), reading)
    for split in made:
        _check(split, reading.frames)
    return made


def _kgbd(
    data: str | Path, protocol: str, reading: Reading, train_people: Collection[int], test_people: Collection[int]
) -> list[Split]:
    both = set(train_people) & set(test_people)
    if protocol == "disjoint" and both:
        raise DatasetError(f"disjoint: person {min(both)} is among both the training and the test people")
    earlier, last = _by_last_session(read_kgbd(data, reading.layout, reading.fps, None, reading.form))
    if protocol == "last-walk":
        return [Split(protocol, earlier, earlier, last)]
    if protocol == "open-gallery":
        return [Split(protocol, _of(earlier, train_people), earlier, last)]
    train = _of((*earlier, *last), train_people)
    return [Split(protocol, train, _of(earlier, test_people), _of(last, test_people))]


def _footage(data: str | Path | Sequence[SkeletonSequence], protocol: str, reading: Reading) -> list[Split]:
    if isinstance(data, str | Path):
        raise DatasetError("footage is split as sequences: read its folder first")
    for sequence in data:
        if sequence.layout.name != reading.layout:
            raise DatasetError(f"{sequence.session}: skeletons are {sequence.layout.name}, not {reading.layout}")
        if reading.fps not in (None, sequence.fps):
            raise DatasetError(f"{sequence.session}: skeletons are {sequence.fps:g} a second, not {reading.fps:g}")
    if reading.form != "canonical":
        raise DatasetError(f"footage has no metres: its form is canonical, not {reading.form}")
    earlier, last = _by_last_session(data)
    return [Split(protocol, earlier, earlier, last)]


def _plans(dataset: str, data: str | Path, protocol: str, frames: int) -> list[_Plan]:
    """The splits of the arrays' datasets; `protocol` may name one of several."""
    kind, _, only = protocol.partition("/")
    names = (only,) if only else _SEVERAL.get((dataset, kind), ())
    if kind == "cross-view":
        open_view = {"ks20": open_ks20, "casia-b": open_casia_b}[dataset]
        return [_Plan(f"{kind}/{view}", open_view(data, frames, int(view)), TEST) for view in names]
    if kind == "cross-condition":
        folder = open_casia_b(data, frames)
        pairs = [(name, *(CONDITIONS[side] for side in name.split("-"))) for name in names]
        return [_Plan(f"{kind}/{name}", folder, probe, gallery) for name, probe, gallery in pairs]
    open_folder = {"kgbd-arrays": open_kgbd_arrays, "ks20": open_ks20, "ias": open_ias, "biwi": open_biwi}[dataset]
    folder = open_folder(data, frames)
    if kind in ("given", "random"):
        return [_Plan(kind, folder, TEST)]
    probe, _, gallery = kind.partition("-")
    return [_Plan(kind, folder, probe, gallery or TRAIN)]


def _read(plans: Sequence[_Plan], reading: Reading) -> list[Split]:
    held: dict[tuple[Path, str], Sequences] = {}  # the splits of one folder share its parts

    def part(folder: ArrayFolder, name: str) -> Sequences:
        if (folder.path, name) not in held:
            held[folder.path, name] = tuple(folder.read(name, LAYOUTS[reading.layout], reading.form))
        return held[folder.path, name]

    made = []
    for plan in plans:
        own = plan.folder.dataset
        if reading.fps not in (None, own.fps):
            raise DatasetError(
                f"{own.name} comes as clips of {own.fps:g} frames a second, not of {reading.fps:g}: leave the rate out"
            )
        gallery = plan.gallery or (GALLERY if plan.folder.has(GALLERY) else TRAIN)
        made.append(Split(plan.name, *(part(plan.folder, name) for name in (TRAIN, gallery, plan.probe))))
    return made


def _by_last_session(sequences: Sequence[SkeletonSequence]) -> tuple[Sequences, Sequences]:
    """Everything before each person's last session, and the last sessions of those who have several."""
    sessions: dict[str, set[str]] = {}
    for sequence in sequences:
        sessions.setdefault(sequence.identity, set()).add(sequence.session)
    last = {(who, max(names, key=_natural)) for who, names in sessions.items() if len(names) > 1}
    before = tuple(s for s in sequences if (s.identity, s.session) not in last)
    return before, tuple(s for s in sequences if (s.identity, s.session) in last)


def _natural(name: str) -> list[tuple[int, str]]:
    """Names in the order of the numbers in them: walk 9 before walk 10."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name)]


def _of(sequences: Sequence[SkeletonSequence], people: Collection[int]) -> Sequences:
    return tuple(sequence for sequence in sequences if int(sequence.identity) in people)


def _check(split: Split, frames: int) -> None:
    """Raise DatasetError for an empty part or a sequence that gives no clip."""
    parts = {"to train on": split.train, "in the gallery": split.gallery, "to ask for": split.probe}
    for role, sequences in parts.items():
        if not sequences:
            raise DatasetError(f"{split.name}: nobody {role}; each person that is asked for needs two sessions or more")
        for sequence in sequences:
            edges = np.flatnonzero(np.diff(sequence.segment)) + 1
            longest = int(np.diff([0, *edges, len(sequence)]).max())
            if longest < frames:
                raise DatasetError(
                    f"{split.name}: {sequence.session} has {longest} frames without a break at {sequence.fps:g} a"
                    f" second, a clip needs {frames}: take fewer frames or a higher rate"
                )
