"""What a person looks like: skin and hair, which stay, and clothes, which change from day to day."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Colour = tuple[float, float, float]
"""Red, green, blue in [0, 1]."""

Pattern = Literal["plain", "stripes", "checks", "bars"]


@dataclass(frozen=True)
class Looks:
    """Skin and hair. hair_length: 0 bald, 1 short, 2 to the neck, 3 to the shoulders or tied up."""

    skin: Colour
    hair: Colour
    hair_length: int


@dataclass(frozen=True)
class Clothes:
    """One day's clothes. sleeve: 0.5 to the middle of the upper arm, 1 to the elbow, 2 to the wrist; leg the same from
    hip to ankle. loose_top, loose_bottom: metres between skin and cloth. hem: metres that the top hangs below the hip
    joints. skirt: metres it reaches below the hip joints, 0 for trousers. period: metres of the pattern."""

    top: Colour
    second: Colour
    pattern: Pattern
    period: float
    bottom: Colour
    shoes: Colour
    sleeve: float
    leg: float
    loose_top: float
    loose_bottom: float
    hem: float
    skirt: float


_SKINS = ((0.93, 0.76, 0.66), (0.87, 0.68, 0.55), (0.76, 0.56, 0.42), (0.62, 0.43, 0.31), (0.45, 0.30, 0.22))
_HAIRS = ((0.08, 0.07, 0.06), (0.17, 0.11, 0.08), (0.30, 0.19, 0.11), (0.55, 0.42, 0.25), (0.55, 0.54, 0.53))


def _shade(generator: np.random.Generator, colour: Colour, spread: float) -> Colour:
    red, green, blue = np.clip(np.asarray(colour) * generator.normal(1.0, spread) + generator.normal(0, 0.015, 3), 0, 1)
    return float(red), float(green), float(blue)


def _cloth(generator: np.random.Generator, lightest: float) -> Colour:
    """A colour as clothes have it: mostly muted, sometimes strong."""
    hue, strength = generator.random() * 2 * np.pi, generator.choice([0.06, 0.15, 0.35], p=[0.4, 0.35, 0.25])
    value = generator.uniform(0.08, lightest)
    wave = np.cos(hue - np.array([0.0, 2.1, 4.2]))
    red, green, blue = np.clip(value * (1.0 + 2.2 * strength * wave), 0.02, 0.95)
    return float(red), float(green), float(blue)


def draw_looks(generator: np.random.Generator, female: bool) -> Looks:
    """Skin and hair at random."""
    skin = _shade(generator, _SKINS[generator.integers(len(_SKINS))], 0.05)
    hair = _shade(generator, _HAIRS[generator.choice(5, p=[0.3, 0.25, 0.2, 0.15, 0.1])], 0.1)
    length = generator.choice(4, p=[0.0, 0.15, 0.35, 0.5] if female else [0.12, 0.74, 0.1, 0.04])
    return Looks(skin, hair, int(length))


def draw_clothes(generator: np.random.Generator, female: bool) -> Clothes:
    """Clothes at random: shirts and jackets, trousers, shorts and skirts."""
    jacket = generator.random() < 0.35
    skirt = female and generator.random() < 0.18
    short = not skirt and generator.random() < 0.15
    patterns: tuple[Pattern, ...] = ("plain", "stripes", "checks", "bars")
    trousers = float(generator.uniform(0.75, 1.1) if short else generator.uniform(1.88, 1.97))
    return Clothes(
        top=_cloth(generator, 0.85),
        second=_cloth(generator, 0.85),
        pattern=patterns[generator.choice(4, p=[0.5, 0.2, 0.15, 0.15])],
        period=float(generator.uniform(0.05, 0.13)),
        bottom=_cloth(generator, 0.5),
        shoes=_cloth(generator, 0.9 if generator.random() < 0.3 else 0.3),
        sleeve=float(
            generator.uniform(1.85, 1.97) if jacket or generator.random() < 0.45 else generator.uniform(0.4, 0.9)
        ),
        leg=0.0 if skirt else trousers,
        loose_top=float(generator.uniform(0.012, 0.028) if jacket else generator.uniform(0.003, 0.014)),
        loose_bottom=float(generator.uniform(0.004, 0.018)),
        hem=float(generator.uniform(0.08, 0.22) if jacket else generator.uniform(-0.06, 0.02)),
        skirt=float(generator.uniform(0.30, 0.50)) if skirt else 0.0,
    )
