"""What differs from one day's walk to another's: pace, shoes, a load, a mood.

Where a finding is published its authors are named; the sizes, where nothing else is said, are assumptions that keep
one person's days nearer to each other than two people are.
"""

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from pipeline.synthetic.body import Body
from pipeline.synthetic.gait import Style

Load = Literal["none", "left shoulder", "right shoulder", "left hand", "right hand", "backpack"]
_LOADS = (0.55, 0.08, 0.08, 0.07, 0.07, 0.15)
# kilograms: (least, most)
_KILOGRAMS = {"none": (0.0, 0.0), "shoulder": (1.0, 6.0), "hand": (1.0, 6.0), "backpack": (2.0, 12.0)}
_BODY_MASS_INDEX = 23.0


@dataclass(frozen=True)
class Effects:
    """One day's circumstances. pace: factor on the walking speed. sole, heel: metres of shoe below the whole foot, and
    below the heel beyond that. load, kilograms: what is carried and where. mood: -1 subdued to 1 lively."""

    pace: float = 1.0
    sole: float = 0.0
    heel: float = 0.0
    load: Load = "none"
    kilograms: float = 0.0
    mood: float = 0.0


def draw_effects(generator: np.random.Generator) -> Effects:
    """A day at random. The same generator state gives the same day."""
    pace = float(np.clip(generator.normal(1.0, 0.08), 0.78, 1.22))
    sole = float(generator.uniform(0.005, 0.03))
    # Most shoes are flat or nearly.
    heel = float(min(0.06, generator.exponential(0.012)))
    load: Load = get_args(Load)[generator.choice(len(_LOADS), p=_LOADS)]
    kilograms = float(generator.uniform(*_KILOGRAMS[load.split()[-1]]))
    return Effects(pace, sole, heel, load, kilograms, float(np.clip(generator.normal(0.0, 0.45), -1.0, 1.0)))


def with_effects(body: Body, style: Style, effects: Effects) -> tuple[Body, Style]:
    """The body, in shoes, and the style of that day. `Effects()` changes nothing."""
    style = _at_pace(style, effects.pace)
    body, style = _in_shoes(body, style, effects.sole, effects.heel)
    style = _in_mood(style, effects.mood)
    return body, _loaded(style, effects.load, effects.kilograms / (_BODY_MASS_INDEX * body.stature**2))


def _at_pace(style: Style, pace: float) -> Style:
    # Cadence and step length share a change of speed about evenly: Grieve and Gear, "The relationships between length
    # of stride, step frequency, time of swing and speed of walking for children and adults", Ergonomics 1966.
    share = pace**0.5
    return replace(
        style, cadence=style.cadence * share, hip_scale=style.hip_scale * share, arm_scale=style.arm_scale * pace
    )


def _in_shoes(body: Body, style: Style, sole: float, heel: float) -> tuple[Body, Style]:
    # A raised heel pitches the foot about its ball: the ankle rises, and the foot gets shorter seen from above.
    pitch = np.arcsin(min(heel / (0.7 * body.foot), 0.9))
    raised = body.ankle_height + sole + heel * 0.48 / 0.7
    body = replace(body, ankle_height=float(raised), foot=float(body.foot * np.cos(pitch)))
    # High heels make strides shorter and knees more bent: Opila-Correia, "Kinematics of high-heeled gait", 1990.
    return body, replace(
        style,
        hip_scale=style.hip_scale * (1.0 - 1.0 * heel),
        ankle_scale=style.ankle_scale * (1.0 - 2.0 * heel),
        knee_offset=style.knee_offset + 0.5 * heel,
    )


def _in_mood(style: Style, mood: float) -> Style:
    # Sadness: slower, less arm swing, less rise and fall, more sway, slumped: Michalak et al., "Embodiment of sadness
    # and depression: gait patterns associated with dysphoric mood", Psychosomatic Medicine 2009.
    return replace(
        style,
        cadence=style.cadence * (1.0 + 0.02 * mood),
        arm_scale=style.arm_scale * (1.0 + 0.20 * mood),
        bob=style.bob * (1.0 + 0.10 * mood),
        trunk_sway=style.trunk_sway * (1.0 - 0.15 * mood),
        trunk_lean=style.trunk_lean - 0.025 * mood,
        head_pitch=style.head_pitch - 0.05 * mood,
    )


def _loaded(style: Style, load: Load, share: float) -> Style:
    """share: of the load in the body's mass."""
    if load == "none":
        return style
    if load == "backpack":
        # The trunk leans forwards: Kinoshita, "Effects of different loads and carrying systems on selected
        # biomechanical parameters describing walking gait", Ergonomics 1985. It twists less: LaFiandra et al., "How do
        # load carriage and walking speed influence trunk coordination and stride parameters?", J. Biomechanics 2003.
        return replace(
            style,
            trunk_lean=style.trunk_lean + 0.5 * share,
            trunk_twist=style.trunk_twist * (1.0 - 1.5 * share),
            pelvis_rotation=style.pelvis_rotation * (1.0 - 1.0 * share),
            arm_scale=style.arm_scale * 0.92,
        )
    side, place = load.split()
    sign = 1.0 if side == "left" else -1.0
    arm = 0.55 if place == "hand" else 0.8  # an assumption, as is that its elbow is nearly as straight as it goes
    kept = (1.0 + sign * style.arm_asymmetry) * arm, 1.0 - sign * style.arm_asymmetry
    style = replace(
        style,
        arm_scale=style.arm_scale * sum(kept) / 2,
        arm_asymmetry=sign * (kept[0] - kept[1]) / sum(kept),
        # The trunk leans away from a load on one side, and that shoulder is drawn up under a strap and down by a hand.
        trunk_side=style.trunk_side - sign * 0.35 * share,
        shoulder_slope=style.shoulder_slope + sign * (0.004 if place == "shoulder" else -0.004),
    )
    if place == "shoulder":
        return style
    bend = style.elbow_carriage + sign * style.elbow_asymmetry
    less = 0.4 * max(bend - 0.15, 0.0)
    return replace(
        style,
        elbow_carriage=style.elbow_carriage - less / 2,
        elbow_asymmetry=style.elbow_asymmetry - sign * less / 2,
    )
