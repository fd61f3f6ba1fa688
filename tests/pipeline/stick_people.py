"""Stick people for tests: 33 landmarks as MediaPipe gives them, of a walker whose true body is known."""

from dataclasses import dataclass, replace

import numpy as np

from pipeline.values import Frame, Person, PoseTrack

THIGH, SHIN, FOOT, UPPER_ARM, FOREARM = 0.43, 0.42, 0.2, 0.3, 0.26  # metres
TRUNK, HEAD = 0.5, 0.22


@dataclass(frozen=True)
class Stick:
    """A walker: `size` scales the body, `cadence` is in strides a second, `swing` in radians."""

    size: float = 1.0
    cadence: float = 0.95
    swing: float = 0.45
    shoulders: float = 0.38
    hips: float = 0.26

    def world(self, time: float, heading: float) -> np.ndarray:
        """(33, 3) metres in MediaPipe's axes. heading: radians, 0 towards the camera, pi / 2 to the image's right."""
        phase = 2 * np.pi * self.cadence * time
        points = np.zeros((33, 3))  # first with x to the person's left, y down, z forwards
        for side, left in ((0, 1.0), (1, -1.0)):
            swing = self.swing * np.sin(phase + np.pi * side)
            bend = 0.6 * max(0.0, np.sin(phase + np.pi * side + 0.9))
            hip = np.array([left * self.hips / 2, 0, 0])
            knee = hip + THIGH * np.array([0, np.cos(swing), np.sin(swing)])
            ankle = knee + SHIN * np.array([0, np.cos(swing - bend), np.sin(swing - bend)])
            shoulder = np.array([left * self.shoulders / 2, -TRUNK, 0])
            elbow = shoulder + UPPER_ARM * np.array([0, np.cos(-swing), np.sin(-swing)])
            wrist = elbow + FOREARM * np.array([0, np.cos(0.3 - swing), np.sin(0.3 - swing)])
            points[11 + side], points[13 + side], points[15 + side] = shoulder, elbow, wrist
            points[[17 + side, 19 + side, 21 + side]] = wrist + np.array([0, 0.06, 0.02])
            points[23 + side], points[25 + side], points[27 + side] = hip, knee, ankle
            points[29 + side] = ankle + np.array([0, 0.06, -0.05])
            points[31 + side] = ankle + np.array([0, 0.06, 0.15])
            points[7 + side] = [left * 0.075, -TRUNK - HEAD, 0.0]
            points[[1, 2, 3] if left > 0 else [4, 5, 6]] = [left * 0.035, -TRUNK - HEAD - 0.03, 0.09]
            points[9 + side] = [left * 0.02, -TRUNK - HEAD + 0.07, 0.1]
        points[0] = [0, -TRUNK - HEAD, 0.11]
        # Facing the camera, the person's left is at the image's right, and forwards is towards the camera (-z).
        x, y, z = self.size * points.T
        right = x * np.cos(heading) + z * np.sin(heading)
        away = x * np.sin(heading) - z * np.cos(heading)
        return np.stack([right, y, away], 1).astype(np.float32)

    def person(
        self, time: float, heading: float, hip: tuple[float, float], scale: float = 60.0, visible: float = 0.9
    ) -> Person:
        """As seen with the middle of the hips at `hip` pixels, `scale` pixels a metre."""
        world = self.world(time, heading)
        image = (world[:, :2] * scale + np.array(hip)).astype(np.float32)
        box = np.concatenate([image.min(0), image.max(0)])
        return Person(box, image, world, np.full(33, visible, np.float32))


def walk(
    stick: Stick, times: np.ndarray, heading: float = np.pi / 2, noise: float = 0.0, scale: float = 60.0, seed: int = 0
) -> PoseTrack:
    """A track of `stick` walking across a picture of 1280 x 480."""
    rng = np.random.default_rng(seed)
    people = [stick.person(t, heading, (640 + 60 * np.sin(heading) * t, 240), scale) for t in times]
    world = np.stack([p.world for p in people])
    track = PoseTrack(
        id=1,
        times=np.asarray(times, np.float64),
        frames=np.arange(len(times)),
        boxes=np.stack([p.box for p in people]),
        image=np.stack([p.image for p in people]),
        world=world,
        visibility=np.stack([p.visibility for p in people]),
        frame_size=(1280, 480),
        source="stick.mp4",
    )
    return moved(track, world + rng.normal(scale=noise, size=world.shape).astype(np.float32), scale)


def moved(track: PoseTrack, world: np.ndarray, scale: float = 60.0) -> PoseTrack:
    """The same walk with other landmarks (T, 33, 3), which the picture follows at `scale` pixels a metre."""
    hips = [23, 24]
    middle = track.image[:, hips].mean(1, keepdims=True)
    across = world[..., :2] - world[:, hips, :2].mean(1, keepdims=True)
    return replace(track, world=world, image=(middle + scale * across).astype(np.float32))


def picture(time: float, index: int, people: list[tuple[Person, tuple[int, int, int]]] = ()) -> Frame:  # type: ignore[assignment]
    """A frame of 640 x 480 with each person's box filled in a colour, the last one in front."""
    rgb = np.full((480, 640, 3), 128, np.uint8)
    for person, colour in people:
        x0, y0, x1, y1 = np.clip(person.box, 0, 640).astype(int)
        rgb[y0:y1, x0:x1] = colour
    return Frame(rgb, time, index)
