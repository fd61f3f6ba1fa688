"""MediaPipe's Pose Landmarker as a picture -> `Person` function: the only file that runs MediaPipe.

Its types stay in here; so do its native libraries' notes on stderr, of which only errors are let through.
"""

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import mediapipe
import numpy as np
from mediapipe.tasks.python import vision
from mediapipe.tasks.python.core.base_options import BaseOptions

from pipeline.errors import PoseModelError
from pipeline.values import Person

_NOTE = re.compile(rb"^(INFO:|WARNING:|[IW]\d{4} |\s*$)")
_stderr_lock = threading.RLock()


class Landmarker:
    """One Pose Landmarker in VIDEO mode, for one body: it detects until it has one, then follows it.

    Not for several threads at once. `PoseModelError` when the model cannot be loaded.
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
        picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(rgb))
        if self._spoke:
            result = self._task.detect_for_video(picture, self._clock)
        else:
            with _without_notes():
                result = self._task.detect_for_video(picture, self._clock)
        if not result.pose_landmarks:
            return None
        self._spoke = True
        return _person(result.pose_landmarks[0], result.pose_world_landmarks[0], rgb.shape[1], rgb.shape[0])

    def close(self) -> None:
        """Free the model; safe to call twice."""
        if self._task is not None:
            self._task.close()
            self._task = None

    def __enter__(self) -> "Landmarker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _person(image: list[Any], world: list[Any], width: int, height: int) -> Person:
    points = np.array([(mark.x * width, mark.y * height) for mark in image], np.float32)
    return Person(
        box=np.concatenate([points.min(axis=0), points.max(axis=0)]),
        image=points,
        world=np.array([(mark.x, mark.y, mark.z) for mark in world], np.float32),
        visibility=np.clip(np.array([mark.visibility for mark in image], np.float32), 0.0, 1.0),
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
