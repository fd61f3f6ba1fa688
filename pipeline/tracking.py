"""Follows people through a clip: motion and likeness, the Hungarian assignment, two passes by confidence.

After ByteTrack (Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022):
clear sightings are given to tracks first, doubtful ones may then prolong a track but never begin one. A track is
worth more pure than complete: a sighting that two people could equally well own is given to neither.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipeline.encounters import uncrossed
from pipeline.likeness import Sighting, sighting, unlikeness
from pipeline.motion import BoxMotion
from pipeline.persons import rejoined
from pipeline.settings import TrackingSettings
from pipeline.sightings import Sightings, together
from pipeline.slips import leave_out_slips
from pipeline.values import Person, PoseTrack

CLEAR, DOUBTFUL = 0.5, 0.2  # mean visibility from which a sighting may begin, or prolong, a track
HITS = 3  # sightings before a track counts
FEWEST_FRAMES = 5  # shorter tracks are blips
DOUBTFUL_GAP = 0.35  # seconds after which a doubtful sighting no longer prolongs a track
TENTATIVE_GAP = 0.3  # seconds a track that does not count yet may be out of sight
MOTION_GATE = 25.0  # squared Mahalanobis distance
NEAR = 0.25  # sizes: never too far, whatever the filter expects
COST_GATE = 40.0
NEWCOMER = 5.0  # what a track that does not count yet pays against one that does
MARGIN = 2.0  # by how much the better owner must be better
DISPUTE = 0.4  # seconds for which a sighting may be left unowned; then the better owner has it
SAME_TRUNK, SAME_POSE = 0.12, 0.12  # sizes between two detections of one person
NEVER = 1e6


class Moment(Protocol):
    """When a frame was taken, and its picture where there is one; `pipeline.values.Frame` is one."""

    @property
    def time(self) -> float: ...
    @property
    def index(self) -> int: ...


class _Track:
    """One person so far: rows seen, motion, and the running means of build and colours."""

    def __init__(self, number: int, moment: Moment, person: Person, seen: Sighting) -> None:
        self.number = number
        self.motion = BoxMotion(moment.time, seen.trunk, person.box)
        self.last, self.build, self.colours = seen, seen.build, seen.colours
        self.rows = Sightings()
        self.rows.add(moment.time, moment.index, person, seen.colours)

    @property
    def counts(self) -> bool:
        return len(self.rows) >= HITS

    def gap(self, time: float) -> float:
        return time - self.motion.time

    def cost(self, time: float, seen: Sighting) -> float:
        """Squared distance in units of spread; NEVER where the two cannot be one person."""
        moved = self.motion.distance(time, seen.trunk, seen.size)
        if moved > MOTION_GATE:
            if np.linalg.norm(seen.trunk - self.last.trunk) > NEAR * seen.size:
                return NEVER
            moved = MOTION_GATE
        cost = moved + unlikeness(seen, self.build, self.colours, self.last, self.gap(time))
        return cost + (0.0 if self.counts else NEWCOMER) if cost <= COST_GATE else NEVER

    def take(self, moment: Moment, person: Person, seen: Sighting, alone: bool) -> None:
        """One more sighting; `alone`: nobody overlaps, so what is seen is this person's own."""
        self.motion.update(moment.time, seen.trunk, person.box)
        self.rows.add(moment.time, moment.index, person, seen.colours if alone else None)
        self.last = seen
        if alone:
            rate = max(0.1, 1 / len(self.rows))
            self.build = self.build + rate * (seen.build - self.build)
            if seen.colours is not None and self.colours is not None:
                old = np.where(np.isfinite(self.colours), self.colours, seen.colours)
                self.colours = old + rate * np.where(np.isfinite(seen.colours), seen.colours - old, 0.0)
            elif self.colours is None:
                self.colours = seen.colours


class Tracker:
    """Gives each person of each frame the number of a track. Feed frames in time order, then call `finish`."""

    def __init__(self, settings: TrackingSettings | None = None) -> None:
        self._max_gap = (settings or TrackingSettings()).max_gap
        self._time = -np.inf
        self._number = 0
        self._live: list[_Track] = []
        self._done: list[_Track] = []

    def update(self, frame: Moment, persons: Sequence[Person]) -> list[int]:
        """The track number of each of `persons`; 0 for a duplicate, a doubtful or an ambiguous sighting.

        Numbers are provisional: `finish` counts anew. A frame that is not later than the one before is passed over.
        """
        owners = [0] * len(persons)
        if not frame.time > self._time:
            return owners
        self._time = frame.time
        self._retire(frame.time)
        seen = [sighting(person, getattr(frame, "rgb", None)) for person in persons]
        free = [i for i in _distinct(persons, seen) if seen[i].confidence >= DOUBTFUL]
        clear = [i for i in free if seen[i].confidence >= CLEAR]
        waiting = list(self._live)
        taken: list[tuple[_Track, int]] = []
        doubtful = [i for i in free if i not in clear]
        for candidates, longest in ((clear, self._max_gap), (doubtful, DOUBTFUL_GAP)):
            fit = [track for track in waiting if track.gap(frame.time) <= longest]
            pairs, disputed = _assign(fit, candidates, seen, frame.time)
            taken += pairs
            waiting = [track for track in waiting if all(track is not owner for owner, _ in pairs)]
            free = [i for i in free if i not in disputed and all(i != j for _, j in pairs)]
        crowded = {i: _overlaps(persons[i].box, [persons[j].box for j in range(len(persons)) if j != i], 0.1)
                   for i in range(len(persons))}  # fmt: skip
        for track, i in taken:
            track.take(frame, persons[i], seen[i], alone=not crowded[i])
            owners[i] = track.number
        for i in free:
            held = [persons[j].box for _, j in taken]
            if i in clear and not _overlaps(persons[i].box, held, 0.7):
                self._number += 1
                self._live.append(_Track(self._number, frame, persons[i], seen[i]))
                owners[i] = self._number
        return owners

    def finish(self, frame_size: tuple[int, int], source: str) -> list[PoseTrack]:
        """The tracks that count, in order of first appearance, ids 1, 2, 3 …; the tracker is empty afterwards.

        Sightings that lie beside their person are taken out (`pipeline.slips`), who came out of an encounter as each
        other are exchanged (`pipeline.encounters`), and somebody who went out of the picture and came back is one track
        (`pipeline.persons.rejoined`).
        """
        tracks = [track for track in self._done + self._live if len(track.rows) >= FEWEST_FRAMES]
        self._done, self._live = [], []
        tracks = sorted(_without_ghosts(tracks), key=lambda track: (track.rows.start, track.number))
        for track in tracks:
            leave_out_slips(track.rows)
        seen = uncrossed([track.rows for track in tracks])
        found = [rows.track(number, frame_size, source) for number, rows in enumerate(seen, start=1)]
        return rejoined(found, [rows.usual_colours for rows in seen])

    def _patience(self, track: _Track) -> float:
        return self._max_gap if track.counts else min(TENTATIVE_GAP, self._max_gap)

    def _retire(self, time: float) -> None:
        lost = [track for track in self._live if track.gap(time) > self._patience(track)]
        self._done += [track for track in lost if len(track.rows) >= FEWEST_FRAMES]
        self._live = [track for track in self._live if track not in lost]


def _assign(
    tracks: list[_Track], candidates: list[int], seen: list[Sighting], time: float
) -> tuple[list[tuple[_Track, int]], set[int]]:
    """Pairs of the cheapest assignment, and the sightings that two tracks dispute."""
    if not tracks or not candidates:
        return [], set()
    cost = np.array([[track.cost(time, seen[i]) for i in candidates] for track in tracks])
    rows, columns = linear_sum_assignment(cost)
    kept = [(r, c) for r, c in zip(rows, columns, strict=True) if cost[r, c] < NEVER]
    idle = [r for r, track in enumerate(tracks) if track.counts and all(r != owner for owner, _ in kept)]
    disputed = {
        c for r, c in kept if tracks[r].gap(time) < DISPUTE and any(cost[i, c] < cost[r, c] + MARGIN for i in idle)
    }
    pairs = [(tracks[r], candidates[c]) for r, c in kept if c not in disputed]
    return pairs, {candidates[c] for c in disputed}


def _distinct(persons: Sequence[Person], seen: list[Sighting]) -> list[int]:
    """The numbers of different people: of two detections of one body the clearer stays."""
    kept: list[int] = []
    for i in sorted(range(len(persons)), key=lambda i: -seen[i].confidence):
        if not any(_same_body(persons[i], seen[i], persons[j], seen[j]) for j in kept):
            kept.append(i)
    return sorted(kept)


def _same_body(a: Person, seen_a: Sighting, b: Person, seen_b: Sighting) -> bool:
    size = max(seen_a.size, seen_b.size)
    if np.linalg.norm(seen_a.trunk - seen_b.trunk) > SAME_TRUNK * size:
        return False
    return bool(np.linalg.norm(a.image - b.image, axis=1).mean() < SAME_POSE * size) or bool(_iou(a.box, b.box) > 0.8)


def _iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (..., 4) with others (..., 4)."""
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.prod(np.maximum(sides, 0.0), axis=-1)
    whole = np.prod(a[..., 2:] - a[..., :2], axis=-1) + np.prod(b[..., 2:] - b[..., :2], axis=-1) - shared
    return np.asarray(shared / np.maximum(whole, 1e-9))


def _overlaps(box: np.ndarray, others: list[np.ndarray], share: float) -> bool:
    return any(bool(_iou(box, other) > share) for other in others)


def _without_ghosts(tracks: list[_Track]) -> list[_Track]:
    """Leave out tracks that lie on a longer one for most of their life: second detections of the same body."""
    beside = _beside(tracks)
    kept: set[_Track] = set()
    for track in sorted(tracks, key=lambda track: -len(track.rows)):
        shared = [_frames_shared(track, other) for other in beside[track] if other in kept]
        if max(shared, default=0) < 0.6 * len(track.rows):
            kept.add(track)
    return [track for track in tracks if track in kept]


def _beside(tracks: list[_Track]) -> dict[_Track, list[_Track]]:
    """For each track those whose time overlaps its own."""
    beside: dict[_Track, list[_Track]] = {track: [] for track in tracks}
    for i, j in together([(track.rows.start, track.rows.end) for track in tracks]):
        beside[tracks[i]].append(tracks[j])
        beside[tracks[j]].append(tracks[i])
    return beside


def _frames_shared(track: _Track, longer: _Track) -> int:
    """In how many frames the two lie on each other."""
    mine, theirs = track.rows.frames, longer.rows.frames
    place = np.minimum(np.searchsorted(theirs, mine), len(theirs) - 1)
    both = theirs[place] == mine
    return int((_iou(track.rows.boxes[both], longer.rows.boxes[place[both]]) > 0.7).sum())
