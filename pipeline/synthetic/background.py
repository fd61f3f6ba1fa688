"""What stands behind the walkers: a textured ground under a sky, or a room with walls; drawn once a clip."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.synthetic.camera import Camera

Place = Literal["room", "street", "field"]
_KINDS: tuple[Place, ...] = ("room", "street", "field")


@dataclass(frozen=True)
class Background:
    """kind: a room, a street with a wall along it, or a field under the sky. ground, wall: colours. tile: metres of
    the ground's slabs, 0 for none. turn: radians of the walls. size: metres from the middle to the walls. seed: of
    the noise."""

    kind: Place
    ground: tuple[float, float, float]
    wall: tuple[float, float, float]
    tile: float
    turn: float
    size: float
    seed: int


def draw_background(generator: np.random.Generator, kind: Place | None = None) -> Background:
    """A background at random; `kind` None draws it too."""
    chosen = kind or _KINDS[generator.integers(3)]
    grey = generator.uniform(0.30, 0.68)
    tint = generator.normal(0.0, 0.02, 3)
    ground = (
        np.clip(grey + tint, 0.1, 0.9)
        if chosen != "field"
        else np.array([0.30, 0.42, 0.20]) * generator.uniform(0.8, 1.4)
    )
    wall = np.clip(generator.uniform(0.45, 0.88) + generator.normal(0, 0.06, 3), 0.15, 0.95)
    return Background(
        kind=chosen,
        ground=(float(ground[0]), float(ground[1]), float(ground[2])),
        wall=(float(wall[0]), float(wall[1]), float(wall[2])),
        tile=float(generator.choice([0.0, 0.4, 0.6, 1.0])) if chosen != "field" else 0.0,
        turn=float(generator.uniform(-0.6, 0.6)),
        size=float(generator.uniform(4.2, 7.0)),
        seed=int(generator.integers(1 << 30)),
    )


def noise(u: np.ndarray, v: np.ndarray, seed: int, octaves: int = 4) -> np.ndarray:
    """Value noise about 0, standard deviation near 0.3, smooth at unit scale and rougher with each octave."""
    total = np.zeros_like(u)
    for octave in range(octaves):
        x, y = u * 2.0**octave, v * 2.0**octave
        i, j = np.floor(x), np.floor(y)
        f, g = x - i, y - j
        f, g = f * f * (3 - 2 * f), g * g * (3 - 2 * g)
        corner = [[_hash(i + a, j + b, seed + octave) for b in (0, 1)] for a in (0, 1)]
        low = corner[0][0] * (1 - f) + corner[1][0] * f
        high = corner[0][1] * (1 - f) + corner[1][1] * f
        total += (low * (1 - g) + high * g) * 0.6**octave
    return np.asarray(total)


def _hash(i: np.ndarray, j: np.ndarray, seed: int) -> np.ndarray:
    """(-1, 1) for each lattice point."""
    mixed = (i.astype(np.int64) * 374761393 + j.astype(np.int64) * 668265263 + seed * 974711) & 0x7FFFFFFF
    mixed = ((mixed ^ (mixed >> 13)) * 1274126177) & 0x7FFFFFFF
    return np.asarray(((mixed ^ (mixed >> 16)) & 0xFFFF) / 32767.5 - 1.0)


def paint(background: Background, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) float32 colours in [0, 1] of the empty scene, and (H, W) bool where the ground is seen."""
    rays, place = camera.rays(), camera.place
    with np.errstate(divide="ignore", invalid="ignore"):
        down = np.where(rays[..., 1] < -1e-4, -place[1] / rays[..., 1], np.inf)
    c, s = np.cos(background.turn), np.sin(background.turn)
    turned = np.stack([rays[..., 0] * c - rays[..., 2] * s, rays[..., 0] * s + rays[..., 2] * c], axis=-1)
    stand = np.array([place[0] * c - place[2] * s, place[0] * s + place[2] * c])
    size = max(background.size, float(np.abs(stand).max()) + 0.7)
    with np.errstate(divide="ignore", invalid="ignore"):
        exits = np.where(turned > 0, (size - stand) / turned, (-size - stand) / turned)
    exits = np.where(np.abs(turned) < 1e-9, np.inf, exits)
    if background.kind == "street":
        exits[..., 0] = np.inf
    if background.kind == "field":
        exits[:] = np.inf
    wall = exits.min(-1)
    on_ground = down < wall
    picture = _sky(rays, background)
    far = np.where(on_ground, down, 0.0)
    picture = np.where(on_ground[..., None], _ground(place, rays, far, background), picture)
    hit = ~on_ground & np.isfinite(wall)
    if hit.any():
        reach = np.where(hit, wall, 0.0)
        height = place[1] + rays[..., 1] * reach
        side = np.where(
            exits[..., 0] < exits[..., 1], stand[1] + turned[..., 1] * reach, stand[0] + turned[..., 0] * reach
        )
        which = np.where(exits[..., 0] < exits[..., 1], np.sign(turned[..., 0]), 2 * np.sign(turned[..., 1]))
        colour = _wall(side + 11.3 * which, height, background) * (1.0 + 0.05 * which[..., None])
        top = 2.7 if background.kind == "room" else 4.5
        above = np.full(3, 0.86) if background.kind == "room" else None
        colour = np.where((height > top)[..., None], picture if above is None else above, colour)
        picture = np.where(hit[..., None], colour, picture)
    return np.clip(picture, 0.0, 1.0).astype(np.float32), on_ground


def _ground(place: np.ndarray, rays: np.ndarray, far: np.ndarray, background: Background) -> np.ndarray:
    x, z = place[0] + rays[..., 0] * far, place[2] + rays[..., 2] * far
    rough = 0.55 if background.kind == "field" else 0.22
    shade = 1.0 + rough * (
        0.35 * noise(x * 1.1, z * 1.1, background.seed)
        + 0.30 * noise(x * 9, z * 9, background.seed + 9, 2) * np.exp(-far / 6)
    )
    if background.tile:
        c, s = np.cos(background.turn), np.sin(background.turn)
        u, v = (x * c - z * s) / background.tile, (x * s + z * c) / background.tile
        seam = np.minimum(np.abs(u - np.round(u)), np.abs(v - np.round(v))) * background.tile
        shade *= 1.0 - 0.28 * np.clip(1.5 - seam / (0.006 + 0.0012 * far), 0.0, 1.0)
        shade *= 1.0 + 0.045 * _hash(np.floor(u), np.floor(v), background.seed)
    haze = 1.0 - np.exp(-far / 60.0)
    colour = np.asarray(background.ground) * shade[..., None]
    return np.asarray(colour * (1 - haze[..., None]) + 0.75 * haze[..., None])


def _wall(along: np.ndarray, height: np.ndarray, background: Background) -> np.ndarray:
    shade = (
        1.0
        + 0.07 * noise(along * 0.8, height * 0.8, background.seed + 3)
        + 0.02 * noise(along * 14, height * 14, background.seed + 4, 2)
    )
    colour = np.asarray(background.wall) * shade[..., None]
    if background.kind == "street":
        course = np.floor(height / 0.16)
        shift = along / 0.42 + 0.5 * (course % 2)
        joint = np.minimum(
            np.abs(height / 0.16 - np.round(height / 0.16)) * 0.16, np.abs(shift - np.round(shift)) * 0.42
        )
        colour = (
            colour
            * (
                1.0
                - 0.18 * np.clip(1.6 - joint / 0.010, 0.0, 1.0)
                + 0.08 * _hash(np.floor(shift), course, background.seed)
            )[..., None]
        )
    else:
        colour = np.where((height < 0.10)[..., None], 0.55 * colour, colour)
    # Doors or windows every few metres.
    cell = np.floor(along / 3.1)
    inside = along - cell * 3.1
    chance = _hash(cell, cell * 0, background.seed + 5)
    door = (chance > 0.2) & (np.abs(inside - 1.5) < 0.46) & (height < 2.05)
    window = (chance < -0.3) & (np.abs(inside - 1.5) < 0.7) & (height > 1.0) & (height < 2.2)
    pane = window & (np.abs(inside - 1.5) < 0.64) & (np.abs(height - 1.6) < 0.54)
    colour = np.where(door[..., None], np.asarray(background.wall) * np.array([0.62, 0.5, 0.4]), colour)
    colour = np.where(window[..., None], 0.9, colour)
    return np.asarray(
        np.where(
            pane[..., None],
            np.array([0.35, 0.42, 0.5]) * (1 + 0.15 * noise(along, height, background.seed + 6))[..., None],
            colour,
        )
    )


def _sky(rays: np.ndarray, background: Background) -> np.ndarray:
    up = np.clip(rays[..., 1], 0.0, 1.0)
    cloud = 0.10 * noise(rays[..., 0] / (up + 0.25) * 1.2, rays[..., 2] / (up + 0.25) * 1.2, background.seed + 8)
    sky = np.array([0.80, 0.85, 0.90]) - up[..., None] * np.array([0.45, 0.30, 0.08]) + cloud[..., None]
    angle = np.arctan2(rays[..., 0], rays[..., 2])
    hedge = 0.06 + 0.05 * noise(angle * 7, angle * 0, background.seed + 7)
    return np.where(
        (rays[..., 1] < hedge)[..., None],
        np.array([0.30, 0.38, 0.28]) * (1 + 0.2 * noise(angle * 40, rays[..., 1] * 40, background.seed + 2))[..., None],
        sky,
    )
