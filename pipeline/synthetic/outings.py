"""Walks of a population: one seed and a number are a person, a second number is one day's walk of theirs."""

import numpy as np

from pipeline.synthetic.body import Body, draw_body
from pipeline.synthetic.effects import Effects, draw_effects, with_effects
from pipeline.synthetic.gait import draw_style, session_style
from pipeline.synthetic.ground import Ground
from pipeline.synthetic.legs import walking_speed
from pipeline.synthetic.pace import Pace
from pipeline.synthetic.path import Path, bends, loop, straight, to_and_fro
from pipeline.synthetic.walker import Motion, walk

_PATHS = {"line": 0.35, "arc": 0.2, "turn": 0.15, "bend and back": 0.1, "loop": 0.1, "to and fro": 0.1}
_STEEPEST = np.radians(6.0)


def population_motion(seed: int, person: int, session: int, *, seconds: float = 8.0, fps: float = 15.0,
                      stops: float = 0.2, slopes: float = 0.25) -> tuple[Body, Motion, Effects]:  # fmt: skip
    """One day's walk: the body in that day's shoes, its motion at `fps` for `seconds`, and what that day did to it.

    Body and style follow from `seed` and `person` alone, and are those of `draw_person` with the generator of
    [seed, person]; style, effects and path of the day from all three numbers. stops, slopes: share of the walks that
    come to a stand or set out from one, and of those that go up or down; 0 leaves the other walks as they are.
    """
    who = np.random.default_rng([seed, person])
    body, usual = draw_body(who), draw_style(who)
    day = np.random.default_rng([seed, person, session, 1])
    effects = draw_effects(day)
    # The day's pace is among its effects.
    body, style = with_effects(body, session_style(usual, day, pace=1.0), effects)
    path = _draw_path(day, walking_speed(body, style) * seconds)
    start = float(day.random()) * path.length if path.closed else 0.0
    phase = float(day.random())
    slope, uphill = float(day.uniform(0.15, 1.0)) * _STEEPEST, float(day.uniform(-np.pi, np.pi))
    pace = _draw_pace(day, seconds)
    stopping, climbing = day.random(2) < (stops, slopes)
    motion = walk(
        body, style, path, np.arange(round(seconds * fps)) / fps, start=start, phase=phase, generator=day,
        pace=pace if stopping else None, ground=Ground(slope if climbing else 0.0, uphill),
    )  # fmt: skip
    return body, motion, effects


def _draw_path(generator: np.random.Generator, length: float) -> Path:
    """A way of about `length` metres at the least, or one that is walked round and round."""
    kind = generator.choice(list(_PATHS), p=list(_PATHS.values()))
    heading = float(generator.uniform(-np.pi, np.pi))
    side = 1.0 if generator.random() < 0.5 else -1.0
    here = (0.0, 0.0)
    if kind == "line":
        return straight(here, heading, length)
    if kind == "arc":
        return bends(here, heading, [(length, side * generator.uniform(0.4, 1.3))])
    if kind == "turn":
        angle = generator.uniform(np.pi / 2, np.pi)
        before = generator.uniform(0.25, 0.6) * length
        return bends(here, heading, [(before, 0.0), (generator.uniform(0.9, 1.6) * angle, side * angle), (length, 0.0)])
    if kind == "bend and back":
        angle = side * generator.uniform(0.5, 1.1)
        return bends(here, heading, [(length / 2, angle), (length / 2, -angle)])
    if kind == "loop":
        return loop(max(6.0, generator.uniform(0.6, 1.0) * length), generator.uniform(1.25, 1.7), heading, side > 0)
    return to_and_fro(generator.uniform(2.5, 5.0), generator.uniform(0.7, 1.1), heading, side > 0)


def _draw_pace(generator: np.random.Generator, seconds: float) -> Pace:
    held = float(generator.uniform(0.5, 2.0))
    if generator.random() < 0.3:
        return Pace(start=held)
    return Pace(stands=((float(generator.uniform(0.25, 0.7)) * seconds, held),))
