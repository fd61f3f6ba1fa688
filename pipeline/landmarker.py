"""MediaPipe's Pose Landmarker as a picture -> `Person` function: the only file that runs MediaPipe.

Its types stay in here; so do its native libraries' notes on stderr, of which only errors are let through.
"""

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import mediapipe
import numpy as np
from mediapipe.tasks.python import vision
from mediapipe.tasks.python.core.base_options import BaseOptions

from pipeline.errors import PoseError, PoseModelError
from pipeline.names import reason_of
from pipeline.values import Person

_LOW_PASS = 0.1
"""Weight of the newest frame in the visibilities that MediaPipe tells (`FreshVisibility`)."""

_FORGOTTEN = 10_000_000
"""Milliseconds after which the low-pass of the landmarks in metres remembers about a tenth of a millimetre of the body
before. MediaPipe's filters count nanoseconds in 63 bits: there is time for 900,000 bodies, one after another."""

_NOTE = re.compile(rb"^(INFO:|WARNING:|[IW]\d{4} |\s*$)")
_stderr_lock = threading.RLock()


class Landmarker:
    """One Pose Landmarker in VIDEO mode, for one body: it detects until it has one, then follows it.

    Not for several threads at once. `PoseModelError` when the model cannot be loaded; `PoseError` when it fails on a
    picture, and from then on for every other.
    """

    def __init__(self, model_path: Path, min_confidence: float) -> None:
        options = vision.PoseLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(model_path)),
            running_mode=vision.RunningMode.VIDEO,
            num_poses=1,
            min_pose_detection_confidence=min_confidence,
            min_pose_presence_confidence=min_confidence,
            min_tracking_confidence=min_confidence,
        )
        try:
            with _without_notes():
                self._task: Any = vision.PoseLandmarker.create_from_options(options)
        except (RuntimeError, ValueError, OSError) as error:
            reason = " ".join(str(error).split())[:160]
            raise PoseModelError(
                f"the pose model {model_path} cannot be loaded ({reason}): check it with `reid models verify`"
            ) from error
        self._visibility = FreshVisibility()
        self._clock = -1  # milliseconds, which must rise for as long as the landmarker lives
        self._begun, self._time = 0, 0.0  # the clock at which this video began; the time told last
        self._spoke = False  # everything that the libraries say, they say until the first body is found

    def __call__(self, rgb: np.ndarray, time: float) -> Person | None:
        """The body in a picture (H, W, 3) uint8 taken at `time` seconds, in pixels of that picture.

        A time before the last one begins another video.
        """
        if time < self._time:
            self._begun = self._clock + 1000
        self._time = time
        self._clock = max(self._clock + 1, self._begun + round(time * 1000))
        try:
            result = self._detected(rgb)
        except Exception as error:  # MediaPipe has a class for each way in which its graph can end, and that ends it
            raise PoseError(
                f"the pose estimator failed {time:.2f} s into the clip ({reason_of(error)}): convert the clip, or leave"
                " it out"
            ) from error
        if not result.pose_landmarks:
            self._forget()
            return None
        self._spoke = True
        person = _person(result.pose_landmarks[0], result.pose_world_landmarks[0], rgb.shape[1], rgb.shape[0])
        return replace(person, visibility=self._visibility(person.visibility))

    def _detected(self, rgb: np.ndarray) -> Any:
        picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(rgb))
        with nullcontext() if self._spoke else _without_notes():
            return self._task.detect_for_video(picture, self._clock)

    def _forget(self) -> None:
        """Let nothing of the body that is gone go into the next one: MediaPipe's filters are not told that it went."""
        if not self._visibility.is_new:
            self._visibility.begin()
            self._begun += _FORGOTTEN
            self._clock += _FORGOTTEN

    def close(self) -> None:
        """Free the model; safe to call twice."""
        task, self._task = self._task, None
        if task is not None:
            with suppress(Exception):  # one that has failed says so once more
                task.close()
            # After that its destructor would close it a second time, and hang or crash in freed memory.
            task._handle = None

    def __enter__(self) -> "Landmarker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class FreshVisibility:
    """Visibilities low-passed within one body, from those that MediaPipe low-passes across all that it ever saw.

    MediaPipe tells s_t = a r_t + (1 - a) s_(t-1), with a = 0.1 and r_t what the network says, also where s_(t-1) was
    another body's: whoever is found after somebody half hidden seems half hidden too, for a second and more. From two
    values that follow each other r_t is known again, and is low-passed here, anew for each body.
    """

    def __init__(self) -> None:
        self._told: np.ndarray | None = None
        self._own: np.ndarray | None = None

    @property
    def is_new(self) -> bool:
        """Whether no body was seen since the beginning, or since `begin`."""
        return self._own is None

    def begin(self) -> None:
        """The next is another body's."""
        self._own = None

    def __call__(self, told: np.ndarray) -> np.ndarray:
        """(33,) as MediaPipe tells it in the next frame with a body -> (33,) float32 in [0, 1]."""
        now = told.astype(np.float64)
        raw = now if self._told is None else self._told + (now - self._told) / _LOW_PASS
        self._told = now
        self._own = raw if self._own is None else self._own + _LOW_PASS * (raw - self._own)
        return np.clip(self._own, 0.0, 1.0).astype(np.float32)


def _person(image: list[Any], world: list[Any], width: int, height: int) -> Person:
    points = np.array([(mark.x * width, mark.y * height) for mark in image], np.float32)
    return Person(
        box=np.concatenate([points.min(axis=0), points.max(axis=0)]),
        image=points,
        world=np.array([(mark.x, mark.y, mark.z) for mark in world], np.float32),
        visibility=np.array([mark.visibility for mark in image], np.float32),
    )


@contextmanager
def _without_notes() -> Iterator[None]:
    """Catch what native code writes to stderr, and pass on afterwards all but the notes and warnings."""
    with _stderr_lock, tempfile.TemporaryFile() as caught:
        try:
            sys.stderr.flush()
            kept = os.dup(2)
        except (OSError, AttributeError, ValueError):  # no stderr at all
            yield
            return
        try:
            os.dup2(caught.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            caught.seek(0)
            for line in caught:
                if not _NOTE.match(line):
                    os.write(2, line)
