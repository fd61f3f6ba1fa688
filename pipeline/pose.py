"""Frames -> Persons: MediaPipe's Pose Landmarker, one for each person, in a window that goes with them.

A landmarker in VIDEO mode follows one body and filters its landmarks; given a window that moves with the person it
works at any distance, needs no detector while it holds them, and is not tempted by others. One more, the scout, looks
where `looking.Search` says for those who are not followed yet; it stays with the one it finds, and another is opened.
For one person that costs what one landmarker costs. Where several stand close, each is posed with the others painted
out, since a landmarker takes pieces of whoever it sees.

A landmarker keeps one core busy, so everybody in sight is posed at the same time, and the scout looks at a frame while
the next is decoded and posed. Who is found does not depend on the number of threads.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np

from pipeline.both_sides import BothSides, Follower
from pipeline.cores import share_of_cores
from pipeline.detector import PersonDetector
from pipeline.followed import LOST, Followed
from pipeline.looking import Detector, Search
from pipeline.people import Window, cut, moved, plausible, same_body
from pipeline.pose_models import resolve_model
from pipeline.settings import PoseSettings
from pipeline.values import Frame, Person, Progress, silent

CONFIRMED = 2  # frames in which a newcomer must be found again before they are reported

_BLANK = np.zeros((64, 64, 3), np.uint8)


class PoseEstimator(Protocol):
    """Finds the people in the frames of one video after another; a context manager."""

    def __enter__(self) -> "PoseEstimator": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def __call__(self, frame: Frame) -> list[Person]:
        """Everybody seen in the frame; frames come in order, index 0 begins another video."""
        ...


class FollowingPose:
    """The `PoseEstimator` that follows each person in a window of their own; keeps, between frames, where they were.

    settings: how many people at once, what is believed. make: opens one more `Follower`; the first is opened at once.
    detector: says where people are, instead of the places that `Search` proposes by itself. threads: how many may pose
    and look at once.
    """

    def __init__(
        self, settings: PoseSettings, make: Callable[[], Follower], detector: Detector | None = None, threads: int = 1
    ) -> None:
        self._settings, self._make, self._detector = settings, make, detector
        self._open = ExitStack()
        self._idle: list[Follower] = []
        self._followed: list[Followed] = []
        self._search = self._new_search()
        self._scout: Follower | None = self._follower()
        self._threads = ThreadPoolExecutor(threads, "pose")
        self._looking: Future[list[Followed]] | None = None

    def __enter__(self) -> "FollowingPose":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the models; safe to call twice."""
        self._threads.shutdown(cancel_futures=True)
        self._free()

    def __call__(self, frame: Frame) -> list[Person]:
        """Everybody seen in the frame, each once; see `PoseEstimator`."""
        if frame.index == 0:
            self._begin()
        try:
            here = self._follow(frame)
        except Exception:
            self._give_up()
            raise
        known, boxes = [one.person for one in self._followed], [one.box(frame.time) for one in self._followed]
        self._looking = self._threads.submit(self._look, frame, known, boxes)
        return here

    def _begin(self) -> None:
        """Forget one video before the next."""
        try:
            self._welcome()
            for one in self._followed:
                self._release(one)
        except Exception:  # what failed at the end of that video changes nothing in it, and is not the next one's
            self._give_up()
        self._followed, self._search = [], self._new_search()

    def _give_up(self) -> None:
        """Throw away all landmarkers, of which one may have failed: it would fail for ever. Others are opened."""
        if self._looking is not None:
            wait([self._looking])
            self._looking = None
        self._free()

    def _free(self) -> None:
        self._open.close()
        self._idle, self._followed, self._scout = [], [], None

    def _welcome(self) -> None:
        """Follow those whom the scout found in the last frame, once it is through with it."""
        if self._looking is not None:
            wait([self._looking])  # which Ctrl-C may end: then it is waited for the next time
            looking, self._looking = self._looking, None
            self._followed += looking.result()

    def _follow(self, frame: Frame) -> list[Person]:
        """Pose everybody who is followed; first those in sight, then the lost ones, with the others painted out."""
        height, width = frame.rgb.shape[:2]
        time = frame.time
        hidden = [one.person for one in self._followed if not one.missed and not one.due(time)]
        places = [place for place, one in enumerate(self._followed) if one.due(time) and one.hits and not one.missed]
        in_sight = [self._followed[place] for place in places]
        windows = [one.window(time, width, height) for one in in_sight]
        people = self._pose_together(in_sight, frame, windows, hidden)
        found = {place: person for place, person in zip(places, people, strict=True) if person is not None}
        self._part(found, time)
        self._welcome()
        for place, one in enumerate(self._followed):
            if one.due(time) and (one.missed or not one.hits):
                one.posed = time
                others = [*hidden, *found.values()]
                person = self._pose(one.follower, frame, one.window(time, width, height), others, one.shifted(time))
                if person is not None and (one.hits or one.agrees(person)):
                    found[place] = person
        self._part(found, time)
        for place, one in enumerate(self._followed):
            if place in found:
                one.found(found[place], time)
                if one.hits == CONFIRMED:
                    self._search.confirmed()
            elif one.posed == time:
                one.missed = True
        here = [one.person for place, one in enumerate(self._followed) if place in found and one.hits >= CONFIRMED]
        self._dismiss(time, width, height)
        return here

    def _part(self, found: dict[int, Person], time: float) -> None:
        """Where two landmarkers hold one body, leave it to the one that expected it there; the other looks anew."""
        for a in sorted(found):
            for b in sorted(found):
                if a < b and a in found and b in found and same_body(found[a], found[b]):
                    one, other = self._followed[a], self._followed[b]
                    strange = one.surprise(found[a], time) > other.surprise(found[b], time)
                    loser = a if other.hits >= CONFIRMED and strange else b
                    del found[loser]
                    self._followed[loser].missed = True
                    self._followed[loser].follower(_BLANK, time)

    def _dismiss(self, time: float, width: int, height: int) -> None:
        """Give up those who are out of sight for too long, have left the frame, or were never confirmed."""
        kept = []
        for one in self._followed:
            x, y = one.expected(time)
            outside = not (0 <= x < width and 0 <= y < height)
            gone = one.missed and (one.hits < CONFIRMED or outside or time - one.seen > LOST)
            if gone:
                self._release(one)
            else:
                kept.append(one)
        self._followed = kept

    def _new_search(self) -> Search:
        return Search(self._settings.search_seconds, self._detector)

    def _look(self, frame: Frame, known: list[Person], boxes: Sequence[np.ndarray]) -> list[Followed]:
        """Send the scout where somebody may be who is not known; whom it finds is followed from the next frame.

        Runs beside `_pose_together`, and touches nothing but the scout, the search and the landmarkers that are idle.
        """
        newcomers: list[Followed] = []
        room = self._settings.max_people - len(known)
        for window in self._search.windows(frame, boxes) if room > 0 else ():
            newcomer = self._scouted(frame, window, known + [one.person for one in newcomers])
            if newcomer is not None:
                newcomers.append(newcomer)
                self._search.found()
                if len(newcomers) == room:
                    break
        return newcomers

    def _scouted(self, frame: Frame, window: Window, known: list[Person]) -> Followed | None:
        """Somebody new who was found in the window."""
        self._scout = self._scout or self._follower()
        person = self._pose(self._scout, frame, window, known)
        if person is None:
            return None
        if any(same_body(person, other) for other in known):
            self._scout(_BLANK, frame.time)  # it must detect anew at the next look, not follow this body
            return None
        # The scout holds the newcomer already, so it becomes their own landmarker, and the next look gets another.
        newcomer, self._scout = Followed(self._scout, person, window, frame.time), None
        return newcomer

    def _pose_together(
        self, people: Sequence[Followed], frame: Frame, windows: Sequence[Window], standing: list[Person]
    ) -> list[Person | None]:
        """Everybody in their own window, each by their own landmarker, at the same time; the others, and those who are
        `standing`, painted out where they are expected to be."""
        for one in people:
            one.posed = frame.time
        bodies = [one.shifted(frame.time) for one in people]
        posing = [
            self._threads.submit(
                self._pose, one.follower, frame, window, [*standing, *bodies[:n], *bodies[n + 1 :]], bodies[n]
            )
            for n, (one, window) in enumerate(zip(people, windows, strict=True))
        ]
        try:
            return [each.result() for each in posing]
        finally:
            wait(posing)  # a landmarker is not for several threads, even where one of them fails or is interrupted

    def _pose(
        self, follower: Follower, frame: Frame, window: Window, hide: list[Person], own: Person | None = None
    ) -> Person | None:
        person = follower(cut(frame.rgb, window, hide, own), frame.time)
        if person is None:
            return None
        person = moved(person, window[0], window[1])
        height, width = frame.rgb.shape[:2]
        if plausible(person, width, height, self._settings.min_confidence):
            return person
        if follower is self._scout:
            follower(_BLANK, frame.time)  # it must not hold on to what nobody believes
        return None

    def _follower(self) -> Follower:
        if self._idle:
            return self._idle.pop()
        follower = self._make()
        self._open.callback(follower.close)
        return follower

    def _release(self, one: Followed) -> None:
        one.follower(_BLANK, one.posed)  # forget the body
        self._idle.append(one.follower)


class MediaPipePose(FollowingPose):
    """`FollowingPose` on MediaPipe's Pose Landmarker.

    model_path: a .task bundle; None for the one that the settings name, which is fetched where it is not in the
    cache. Raises `PoseModelError`, or `DetectorError` for the person detector, at once when it cannot be had or loaded.
    """

    def __init__(
        self, settings: PoseSettings | None = None, model_path: Path | None = None, progress: Progress = silent
    ) -> None:
        settings = settings or PoseSettings()
        detector = PersonDetector(settings.detector) if settings.detector else None
        # MediaPipe takes a second to load, which skeletons read from a file and scripted pose sources do without.
        from pipeline.landmarker import Landmarker

        model = model_path or resolve_model(settings.model, progress=progress)

        def follower() -> BothSides:
            return BothSides(lambda: Landmarker(model, settings.min_confidence), settings.both_sides_below)

        super().__init__(settings, follower, detector, share_of_cores())
