"""Is a track good enough to be used, and how good is it? Refusals say which figure is too low, and what is needed."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import median_filter
from scipy.signal import find_peaks

from pipeline.joints import CORE, joints14, visibility14
from pipeline.normalize import readable, stretches
from pipeline.settings import NormalizeSettings, QualitySettings, TrackingSettings
from pipeline.values import PoseTrack
from smsge.canonical import stature
from smsge.layouts import CASIA14

FINE_HEIGHT, FINE_SECONDS, FINE_STEPS = 200.0, 4.0, 6.0  # from here on, more makes nothing better
FINE_VISIBILITY = 0.9
ABSENT = TrackingSettings.max_gap  # seconds: who is out of sight for longer was gone
FEWEST_STEPS = 2  # a single lunge is no gait
LEFT_ANKLE, RIGHT_ANKLE = CASIA14.index["left ankle"], CASIA14.index["right ankle"]


@dataclass(frozen=True)
class Refusal:
    """Why a track cannot be used.

    reason: too small, badly seen, too short or too still. figure: what was measured; needed: the least that will do,
    both in `unit`; about: what the figure is of.
    """

    reason: str
    figure: float
    needed: float
    unit: str
    about: str

    def __str__(self) -> str:
        figure, needed = _apart(self.figure, self.needed)
        unit = self.unit.removesuffix("s") if figure == "1" else self.unit
        return f"{self.reason}: {figure} {unit} {self.about}, {needed} {self.unit} are needed"


@dataclass(frozen=True)
class Quality:
    """score: in [0, 1], 0 where refused; refusal: None where the track can be used."""

    score: float
    refusal: Refusal | None


@dataclass(frozen=True)
class Figures:
    """What is measured of a track.

    duration: seconds from its first frame to its last. seconds: of its longest stretch without a long gap in which the
    body is seen; total: of all such stretches together. height: median pixels from head to ankle. motion: how far the
    distance between the ankles swings (10th to 90th percentile) in statures. visibility: mean over shoulders, hips,
    knees and ankles, 0 outside the picture. steps: how many are seen. seen: share of the frames between its start and
    end in which the body is seen, but for the time for which the person was gone.
    """

    duration: float
    seconds: float
    total: float
    height: float
    motion: float
    visibility: float
    steps: int
    seen: float


def measure(track: PoseTrack, max_gap: float) -> Figures:
    """The figures of `track`; gaps longer than `max_gap` seconds are not bridged."""
    good = readable(track)
    parts = [part for part in stretches(track.times, good, max_gap) if len(part) > 1]
    lengths = [float(track.times[part[-1]] - track.times[part[0]]) for part in parts]
    joints = joints14(track)
    apart = np.linalg.norm(joints[:, LEFT_ANKLE] - joints[:, RIGHT_ANKLE], axis=1) / max(stature(joints, CASIA14), 1e-3)
    motion, steps = 0.0, 0
    if parts:
        swings = [_smoothed(apart[part], track.times[part]) for part in parts]
        low, high = np.percentile(np.concatenate(swings), [10, 90])
        motion = float(high - low)
        steps = sum(len(find_peaks(swing, prominence=0.4 * motion)[0]) for swing in swings)
    # From the head to the farther ankle, in whatever direction: the camera may lie on its side.
    bodies = np.linalg.norm(track.image[:, [27, 28]] - track.image[:, [0, 7, 8]].mean(1)[:, None], axis=-1).max(1)
    spacing = float(np.median(np.diff(track.times))) if len(track) > 1 else 0.0
    steps_in_time = np.diff(track.times)
    expected = steps_in_time[steps_in_time <= ABSENT].sum() / spacing + 1 if spacing > 0 else 1.0
    return Figures(
        duration=track.end - track.start,
        seconds=max(lengths, default=0.0),
        total=sum(lengths),
        height=float(np.median(bodies)),
        motion=motion,
        visibility=float(visibility14(track)[:, CORE].mean()),
        steps=steps,
        seen=min(float(good.sum()) / expected, 1.0),
    )


def assess(track: PoseTrack, settings: QualitySettings, max_gap: float = NormalizeSettings.max_gap) -> Quality:
    """Measure `track` and judge it; `max_gap` as in NormalizeSettings. The first reason that holds is given."""
    figures = measure(track, max_gap)
    refusal = _refusal(figures, settings)
    return Quality(0.0 if refusal else _score(figures, settings), refusal)


def _refusal(figures: Figures, settings: QualitySettings) -> Refusal | None:
    hidden = figures.seconds < settings.min_seconds <= figures.duration
    checks = (
        ("too small", figures.height, settings.min_height, "px", "tall"),
        ("badly seen", 100 * figures.visibility, 100 * settings.min_visibility, "%", "visible on average"),
        ("badly seen" if hidden else "too short", figures.seconds, settings.min_seconds, "s",
         "with shoulders, hips and feet in view" if hidden else "long"),
        ("too still", 100 * figures.motion, 100 * settings.min_motion, "%", "of stature between the feet's swings"),
        ("too still", figures.steps, FEWEST_STEPS, "steps", "seen"),
    )  # fmt: skip
    return next((Refusal(*check) for check in checks if not check[1] >= check[2] - 1e-6), None)


def _score(figures: Figures, settings: QualitySettings) -> float:
    """The geometric mean of five shares, each 1 where more would make nothing better."""
    low = min(max(settings.min_height, 1.0), 0.99 * FINE_HEIGHT)  # the settings may ask for nothing, or for everything
    shares = (
        figures.visibility / FINE_VISIBILITY,
        0.3 + 0.7 * np.log(max(figures.height, 1.0) / low) / np.log(FINE_HEIGHT / low),
        figures.total / FINE_SECONDS,
        max(figures.steps, 1) / FINE_STEPS,
        figures.seen,
    )
    return float(np.prod(np.clip(shares, 0.01, 1.0)) ** (1 / len(shares)))


def _smoothed(swing: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(T,) without the jitter of single frames: a median over about 0.15 s."""
    width = max(1, round(0.15 / float(np.median(np.diff(times)))))
    return np.asarray(median_filter(swing, width | 1, mode="nearest"))


def _apart(figure: float, needed: float) -> tuple[str, str]:
    """Both numbers as text, with as few digits as still show that they differ."""
    enough = (digits for digits in range(7) if f"{figure:.{digits}f}" != f"{needed:.{digits}f}")
    digits = max(next(enough, 6), 0 if needed >= 2 and float(needed).is_integer() else 1)
    return f"{figure:.{digits}f}", f"{needed:.{digits}f}"
