"""A pose estimator that sees a stick person in every picture, and shots that cost nothing to film."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from types import TracebackType

import numpy as np
import pytest
from stick_people import Stick

from pipeline.synthetic.scene import Scene
from pipeline.synthetic.shots import Drawn, Spoil
from pipeline.values import Frame, Person


@dataclass
class StickPose:
    """Sees a stick person who walks across every picture; keeps what it was shown."""

    shown: list[Frame] = field(default_factory=list)

    def __enter__(self) -> "StickPose":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __call__(self, frame: Frame) -> list[Person]:
        self.shown.append(frame)
        height, width, _ = frame.rgb.shape
        middle = (width / 2 + 6 * frame.time, 0.47 * height)
        return [Stick().person(frame.time, np.pi / 2, middle, scale=0.5 * height)]


class Brief(Drawn):
    """Whose shots are short."""

    def __call__(self, person: int, shot: int) -> tuple[Scene, Spoil]:
        scene, spoil = super().__call__(person, shot)
        return replace(scene, seconds=0.2), spoil


def blank(scene: Scene) -> Iterator[Frame]:
    """Frames of the right size and time that cost nothing."""
    for index, time in enumerate(scene.times):
        yield Frame(np.full((scene.camera.height_px, scene.camera.width, 3), 128, np.uint8), float(time), index)


def without_a_model(monkeypatch: pytest.MonkeyPatch) -> StickPose:
    """What `make_shots` poses with from now on; nothing is drawn either."""
    pose = StickPose()
    monkeypatch.setattr("pipeline.synthetic.shots._pose", lambda: pose)
    monkeypatch.setattr("pipeline.synthetic.shots.render", blank)
    return pose
