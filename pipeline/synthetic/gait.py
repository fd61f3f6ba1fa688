"""How one person walks: joint angle curves over the gait cycle, and a style that makes them that person's own.

The mean curves follow the normal gait data of Winter, "The Biomechanics and Motor Control of Human Gait" (1991), read
at a few points of the cycle and kept as Fourier series. Phase 0 is the heel strike of that leg. A `Style` is fixed for
a person; `session_style` moves it a little, as mood, shoes and pace do from one day to the next.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

HARMONICS = 6
CURVES = ("hip", "knee", "ankle", "shoulder", "elbow")

# Degrees at percentages of the cycle: flexion positive, dorsiflexion positive.
_KEYS = {
    "hip": ((0, 30), (10, 25), (20, 16), (30, 6), (40, -4), (50, -10), (60, -5), (70, 14), (80, 29), (90, 34)),
    "knee": (
        (0, 5), (6, 12), (14, 18), (22, 16), (32, 10), (40, 7), (48, 11), (56, 26), (64, 47), (72, 61), (80, 54),
        (88, 28), (94, 9),
    ),
    "ankle": (
        (0, 0), (6, -5), (14, 0), (24, 5), (36, 9), (46, 10), (54, -2), (62, -17), (70, -10), (80, 0), (90, 2),
    ),
    # The arm swings against its own leg: furthest back at that leg's heel strike.
    "shoulder": ((0, -18), (12, -15), (25, -4), (38, 9), (50, 16), (62, 13), (75, 1), (88, -12)),
    "elbow": ((0, -8), (12, -7), (25, -2), (38, 6), (50, 11), (62, 8), (75, -1), (88, -7)),
}  # fmt: skip


def _series(keys: tuple[tuple[int, int], ...]) -> np.ndarray:
    """(HARMONICS + 1,) complex Fourier coefficients of a curve given at some percentages of the cycle."""
    at = np.array([key[0] for key in keys] + [keys[0][0] + 100], dtype=float) / 100
    values = np.array([key[1] for key in keys] + [keys[0][1]], dtype=float)
    grid = np.interp(np.arange(200) / 200, at, values)
    coefficients = np.fft.rfft(np.radians(grid))[: HARMONICS + 1] / 200
    coefficients[1:] *= 2
    return np.asarray(coefficients)


MEAN_CURVES = {name: _series(keys) for name, keys in _KEYS.items()}


@dataclass(frozen=True)
class Style:
    """One person's way of walking. Angles in radians, lengths in metres; `*_scale` multiply the mean curve's swing.

    cadence: steps a minute. step_width: between the ankles. hip_offset, knee_offset: added to the mean curves.
    pelvis_*: amplitudes of rotation (about the vertical), list (sideways) and the constant forward tilt. trunk_*: the
    same of the trunk, `trunk_lean` forwards, `trunk_twist` against the pelvis, `trunk_sway` sideways, `trunk_side` a
    constant lean to the left. arm_asymmetry: left minus right share of the swing. arm_offset: mean arm angle forwards.
    arm_out: upper arms away from the body. elbow_carriage: mean flexion. arm_inward: forearms turned to the front.
    shoulder_drop: how far shoulders hang below the neck's base; shoulder_slope: left shoulder higher, right lower.
    shoulder_forward: rounded shoulders. head_forward, head_pitch: the neck's angle and the head's, forwards. bob: share
    of the body's natural rise and fall. toe_out: of the feet. leg_asymmetry: left minus right share of the hip swing.
    stance: share of the cycle a foot is on the ground. shape: (2 sides, 5 curves, HARMONICS) complex factors that
    bend the curves into this person's own shape.
    """

    cadence: float
    step_width: float
    hip_scale: float
    knee_scale: float
    ankle_scale: float
    hip_offset: float
    knee_offset: float
    pelvis_rotation: float
    pelvis_list: float
    pelvis_tilt: float
    trunk_lean: float
    trunk_twist: float
    trunk_sway: float
    trunk_side: float
    arm_scale: float
    arm_asymmetry: float
    arm_offset: float
    arm_out: float
    arm_inward: float
    elbow_carriage: float
    elbow_asymmetry: float
    elbow_scale: float
    shoulder_drop: float
    shoulder_slope: float
    shoulder_forward: float
    head_forward: float
    head_pitch: float
    bob: float
    toe_out: float
    leg_asymmetry: float
    stance: float
    shape: np.ndarray


_DEGREE = np.pi / 180
# name: (mean, standard deviation between people, between sessions of one person, least, most).
_STYLE = {
    "cadence": (113.0, 7.5, 2.5, 92.0, 134.0),
    "step_width": (0.11, 0.030, 0.006, 0.04, 0.22),
    "hip_scale": (1.0, 0.11, 0.025, 0.72, 1.30),
    "knee_scale": (1.0, 0.10, 0.02, 0.75, 1.25),
    "ankle_scale": (1.0, 0.16, 0.03, 0.6, 1.4),
    "hip_offset": (0.0, 3.0 * _DEGREE, 0.7 * _DEGREE, -0.14, 0.14),
    "knee_offset": (1.0 * _DEGREE, 4.0 * _DEGREE, 0.8 * _DEGREE, -0.06, 0.20),
    "pelvis_rotation": (5.0 * _DEGREE, 2.2 * _DEGREE, 0.5 * _DEGREE, 0.0, 0.22),
    "pelvis_list": (3.5 * _DEGREE, 1.5 * _DEGREE, 0.3 * _DEGREE, 0.0, 0.16),
    "pelvis_tilt": (8.0 * _DEGREE, 4.0 * _DEGREE, 0.7 * _DEGREE, -0.1, 0.4),
    "trunk_lean": (3.0 * _DEGREE, 4.0 * _DEGREE, 0.8 * _DEGREE, -0.12, 0.28),
    "trunk_twist": (5.0 * _DEGREE, 2.5 * _DEGREE, 0.6 * _DEGREE, 0.0, 0.26),
    "trunk_sway": (1.8 * _DEGREE, 1.2 * _DEGREE, 0.2 * _DEGREE, 0.0, 0.12),
    "trunk_side": (0.0, 1.5 * _DEGREE, 0.4 * _DEGREE, -0.08, 0.08),
    "arm_scale": (1.0, 0.38, 0.08, 0.15, 2.2),
    "arm_asymmetry": (0.05, 0.24, 0.04, -0.7, 0.7),
    "arm_offset": (0.0, 5.5 * _DEGREE, 1.0 * _DEGREE, -0.3, 0.3),
    "arm_out": (8.0 * _DEGREE, 4.0 * _DEGREE, 0.7 * _DEGREE, 0.03, 0.4),
    "arm_inward": (25.0 * _DEGREE, 14.0 * _DEGREE, 2.5 * _DEGREE, -0.2, 1.2),
    "elbow_carriage": (24.0 * _DEGREE, 11.0 * _DEGREE, 2.0 * _DEGREE, 0.1, 1.3),
    "elbow_asymmetry": (0.0, 6.0 * _DEGREE, 1.0 * _DEGREE, -0.3, 0.3),
    "elbow_scale": (1.0, 0.35, 0.08, 0.2, 2.2),
    "shoulder_drop": (0.020, 0.014, 0.002, -0.01, 0.06),
    "shoulder_slope": (0.0, 0.012, 0.002, -0.035, 0.035),
    "shoulder_forward": (0.008, 0.018, 0.003, -0.03, 0.06),
    "head_forward": (16.0 * _DEGREE, 8.0 * _DEGREE, 1.2 * _DEGREE, -0.05, 0.8),
    "head_pitch": (4.0 * _DEGREE, 6.0 * _DEGREE, 2.0 * _DEGREE, -0.25, 0.45),
    "bob": (1.0, 0.22, 0.04, 0.4, 1.7),
    "toe_out": (7.0 * _DEGREE, 5.5 * _DEGREE, 0.8 * _DEGREE, -0.15, 0.42),
    "leg_asymmetry": (0.0, 0.05, 0.01, -0.15, 0.15),
    "stance": (0.62, 0.015, 0.005, 0.58, 0.66),
}  # fmt: skip
_SHAPE, _SHAPE_SESSION = 0.11, 0.02


def draw_style(generator: np.random.Generator) -> Style:
    """A person's style at random. The same generator state gives the same style."""
    values = {
        name: float(np.clip(generator.normal(mean, between), least, most))
        for name, (mean, between, _, least, most) in _STYLE.items()
    }
    # Both sides share most of a person's own curve shape and keep a little each.
    common = _complex_noise(generator, (1, len(CURVES), HARMONICS))
    sides = _complex_noise(generator, (2, len(CURVES), HARMONICS))
    return Style(shape=1.0 + _SHAPE * (0.85 * common + 0.5 * sides), **values)


def session_style(style: Style, generator: np.random.Generator, pace: float | None = None) -> Style:
    """The same person another day: every value moved by its spread between sessions. pace: factor on the walking speed,
    None draws one within about 5 %; the faster take both longer and quicker steps."""
    factor = float(np.clip(generator.normal(1.0, 0.05), 0.88, 1.12)) if pace is None else pace
    values = {
        name: float(np.clip(getattr(style, name) + generator.normal(0.0, within), least, most))
        for name, (_, _, within, least, most) in _STYLE.items()
    }
    values["cadence"] *= factor**0.5
    values["hip_scale"] *= factor**0.5
    values["arm_scale"] *= factor
    noise = _SHAPE_SESSION * _complex_noise(generator, style.shape.shape)
    return replace(style, shape=style.shape + noise, **values)


def style_distance(first: Style, second: Style) -> float:
    """Root mean square difference of the two, each value in units of its spread between people: about 1.4 for two
    strangers, well below for two sessions of one person."""
    names = [item.name for item in fields(Style) if item.name != "shape"]
    parts = [(getattr(first, name) - getattr(second, name)) / _STYLE[name][1] for name in names]
    return float(np.sqrt(np.mean(np.square(parts))))


def curve(style: Style, name: str, side: int, phase: np.ndarray) -> np.ndarray:
    """(T,) radians: the swing of curve `name` of the left (0) or right (1) side about its mean, at the (T,) phases of
    that side in cycles, before the style's scale."""
    order = np.arange(1, HARMONICS + 1)
    coefficients = MEAN_CURVES[name][1:] * style.shape[side, CURVES.index(name)]
    return np.asarray(np.real(np.exp(2j * np.pi * phase[:, None] * order) @ coefficients))


def mean_angle(name: str) -> float:
    """Radians: the mean of a curve over the cycle."""
    return float(MEAN_CURVES[name][0].real)


def _complex_noise(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray((generator.normal(size=shape) + 1j * generator.normal(size=shape)) / np.sqrt(2.0))
