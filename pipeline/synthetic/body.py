"""A body drawn at random from published anthropometry.

Segment lengths start from the fractions of stature of Drillis and Contini (1966) as tabulated by Winter, "Biomechanics
and Motor Control of Human Movement", ch. 4. Stature, breadths and girths have the means and standard deviations of
ANSUR II (2012), rounded. Correlations come from a factor model: every measure loads on stature, on long or short legs,
on long or short arms, on frame (breadth of the bones) and on fatness, and keeps a share of its own.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Sex = Literal["female", "male"]


@dataclass(frozen=True)
class Body:
    """One person's build. Lengths are between joint centres, radii are of the bare body; all in metres."""

    sex: Sex
    stature: float
    thigh: float
    shank: float
    foot: float
    ankle_height: float
    hip_width: float
    trunk: float
    neck: float
    shoulder_width: float
    upper_arm: float
    forearm: float
    hand: float
    head_height: float
    head_width: float
    chest_radius: float
    waist_radius: float
    pelvis_radius: float
    thigh_radius: float
    calf_radius: float
    upper_arm_radius: float
    forearm_radius: float
    neck_radius: float

    @property
    def leg(self) -> float:
        """Hip to sole, standing straight."""
        return self.thigh + self.shank + self.ankle_height


# Joint-centre lengths as fractions of stature: (fraction for women, for men, own standard deviation as a share).
_LENGTHS = {
    "thigh": (0.2430, 0.2425, 0.022),
    "shank": (0.2440, 0.2460, 0.022),
    "foot": (0.1490, 0.1520, 0.025),
    "ankle_height": (0.0390, 0.0390, 0.04),
    "hip_width": (0.1050, 0.0980, 0.06),
    "trunk": (0.2880, 0.2880, 0.020),
    "neck": (0.0560, 0.0560, 0.08),
    "shoulder_width": (0.1990, 0.2120, 0.028),
    "upper_arm": (0.1700, 0.1720, 0.024),
    "forearm": (0.1450, 0.1470, 0.024),
    "hand": (0.1070, 0.1080, 0.03),
    "head_height": (0.1330, 0.1300, 0.028),
    "head_width": (0.0890, 0.0870, 0.03),
}
# Loadings, as shares of the length for one standard deviation of (legs, arms, frame): what leg length gains the trunk
# loses, so that stature stays stature.
_FACTORS = {
    "thigh": (0.030, 0.0, 0.0),
    "shank": (0.034, 0.0, 0.0),
    "foot": (0.010, 0.012, 0.022),
    "hip_width": (0.0, 0.0, 0.045),
    "trunk": (-0.052, 0.0, 0.0),
    "neck": (-0.02, 0.0, -0.03),
    "shoulder_width": (0.0, 0.012, 0.040),
    "upper_arm": (0.012, 0.032, 0.0),
    "forearm": (0.014, 0.034, 0.0),
    "hand": (0.006, 0.025, 0.015),
    "head_width": (0.0, 0.0, 0.015),
}
# Radii in metres at the mean stature: (women, men, share for one deviation of fatness, of frame, own).
_RADII = {
    "chest_radius": (0.098, 0.110, 0.065, 0.045, 0.025),
    "waist_radius": (0.098, 0.108, 0.115, 0.030, 0.030),
    "pelvis_radius": (0.112, 0.106, 0.075, 0.040, 0.025),
    "thigh_radius": (0.088, 0.085, 0.085, 0.020, 0.030),
    "calf_radius": (0.057, 0.059, 0.060, 0.025, 0.035),
    "upper_arm_radius": (0.043, 0.048, 0.085, 0.030, 0.035),
    "forearm_radius": (0.037, 0.042, 0.055, 0.035, 0.030),
    "neck_radius": (0.051, 0.060, 0.050, 0.030, 0.025),
}
_STATURE = {"female": (1.629, 0.064), "male": (1.756, 0.069)}


def draw_body(generator: np.random.Generator, sex: Sex | None = None) -> Body:
    """A body at random; `sex` None draws it too. The same generator state gives the same body."""
    chosen: Sex = sex or ("female" if generator.random() < 0.5 else "male")
    column = 0 if chosen == "female" else 1
    mean, deviation = _STATURE[chosen]
    height = float(np.clip(generator.normal(), -2.6, 2.6))
    stature = mean + deviation * height
    legs, arms, frame, fat = np.clip(generator.normal(size=4), -2.5, 2.5)
    legs = 0.25 * height + np.sqrt(1 - 0.25**2) * legs  # tall people have relatively longer legs
    values: dict[str, float] = {}
    for name, (*fractions, own) in _LENGTHS.items():
        leg_share, arm_share, frame_share = _FACTORS.get(name, (0.0, 0.0, 0.0))
        share = leg_share * legs + arm_share * arms + frame_share * frame + own * np.clip(generator.normal(), -2.5, 2.5)
        # Heads vary less than in proportion to stature.
        size = stature if not name.startswith("head") else 0.6 * mean + 0.4 * stature
        values[name] = float(fractions[column] * size * (1.0 + share))
    for name, (woman, man, fat_share, frame_share, own) in _RADII.items():
        skewed = fat + 0.22 * (fat * fat - 1.0)  # weight has a longer tail above than below
        share = fat_share * skewed + frame_share * frame + own * np.clip(generator.normal(), -2.5, 2.5)
        values[name] = float((woman, man)[column] * (stature / mean) ** 0.5 * (1.0 + share))
    upright = (
        values["thigh"] + values["shank"] + values["ankle_height"] + values["trunk"] + values["neck"]
        + values["head_height"]
    )  # fmt: skip
    scale = stature / (upright + 0.012 * stature)
    for name in ("thigh", "shank", "ankle_height", "trunk", "neck"):
        values[name] *= scale
    return Body(sex=chosen, stature=stature, **values)
