"""Colours and light of the points where rays met a figure: cloth and patterns, the face, the sky and the key light."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipeline.synthetic.camera import Camera
from pipeline.synthetic.figure import Figure
from pipeline.synthetic.march import BLEND, point_distances


@dataclass(frozen=True)
class Light:
    """key: (3,) unit world vector towards the sun or lamp. strength: of it; ambient: of the sky; warmth: -1 to 1,
    blue to yellow."""

    key: tuple[float, float, float]
    strength: float = 0.75
    ambient: float = 0.45
    warmth: float = 0.0

    @property
    def colour(self) -> np.ndarray:
        """(3,) of the key light."""
        return self.strength * np.array([1.0 + 0.10 * self.warmth, 1.0, 1.0 - 0.14 * self.warmth])


class Paint:
    """Colours and lights the points that were hit."""

    def __init__(
        self, figure: Figure, frames: slice, camera: Camera, light: Light, tensor: Callable[[np.ndarray], Tensor]
    ) -> None:
        self.first, self.second, self.cut = tensor(figure.first), tensor(figure.second), tensor(figure.cut)
        self.waist, self.hem, self.top = tensor(figure.waist), figure.hem, tensor(figure.top)
        self.pattern, self.head = tensor(figure.pattern), tensor(figure.head)
        self.pattern_colour, self.period = tensor(figure.pattern_colour), figure.period
        self.trunk, self.centre = tensor(figure.trunk[frames]), tensor(figure.centre[frames])
        self.face, self.face_centre = tensor(figure.face[frames]), tensor(figure.face_centre[frames])
        self.face_size, self.skin, self.hair = figure.face_size, tensor(figure.skin), tensor(figure.hair)
        self.scalp = tensor(figure.scalp)
        self.key, self.key_colour = tensor(np.asarray(light.key)), tensor(light.colour)
        self.ambient = light.ambient
        self.place, self.rotation = tensor(camera.place), tensor(camera.rotation)

    def shade(self, rays: Tensor, t: Tensor, cones: Tensor, which: Tensor, frame: Tensor) -> Tensor:
        """(M, 3) colours of the points at (M,) `t` along (M, 3) `rays`, in camera axes, with (M, K, 10) `cones`
        near them; (M, K) `which` and (M,) `frame` are the numbers of those cones and of the frame."""
        place = rays * t[:, None]
        distance, foot = point_distances(place, cones)
        weight = torch.softmax(-distance / BLEND, dim=-1)
        out = place[:, None] - cones[..., :3] - cones[..., 3:6] * foot[..., None]
        normal = (weight[..., None] * torch.nn.functional.normalize(out, dim=-1)).sum(1)
        normal = torch.nn.functional.normalize(normal, dim=-1)
        winner = distance.argmin(-1, keepdim=True)
        cone = which.gather(1, winner)[:, 0]
        share = (foot.gather(1, winner) / cones[..., 6].gather(1, winner))[:, 0]
        world = place @ self.rotation + self.place
        colour = self._colour(world, cone, share, frame)
        up = normal @ self.rotation
        # Open sky: how far the figure itself stays away from a point held off the surface.
        probe, _ = point_distances(place + 0.07 * normal, cones)
        lit = (probe.amin(-1) / 0.07).clamp(0.0, 1.0)
        towards = self.key @ self.rotation.T
        shadow, _ = point_distances(place + 0.02 * normal + 0.12 * towards, cones)
        open_key = (0.35 + shadow.amin(-1) / 0.05).clamp(0.15, 1.0)
        key = (up @ self.key).clamp_min(0.0) * open_key
        sky = self.ambient * (0.70 + 0.30 * up[:, 1]) * (0.45 + 0.55 * lit)
        return (colour * (sky[:, None] + key[:, None] * self.key_colour)).clamp(0.0, 1.0)

    def _colour(self, world: Tensor, cone: Tensor, share: Tensor, frame: Tensor) -> Tensor:
        before = share < self.cut[cone]
        colour = torch.where(before[:, None], self.first[cone], self.second[cone])
        own = torch.einsum("mi,mij->mj", world - self.centre[frame], self.trunk[frame])
        waist = self.waist[cone] > 0
        covered = waist & (own[:, 1] > -self.hem)
        colour = torch.where(covered[:, None], self.top, colour)
        before = torch.where(waist, covered, before)
        stripes, checks = torch.floor(own[:, 1] / self.period), torch.floor(own[:, 0] / self.period)
        kind = self.pattern[cone]
        odd = torch.where(kind == 1, stripes, torch.where(kind == 2, stripes + checks, checks)) % 2 == 1
        colour = torch.where((odd & (kind > 0) & before)[:, None], self.pattern_colour, colour)
        folds = 1.0 + 0.05 * torch.sin(38.0 * own[:, 1] + 2.5 * torch.sin(25.0 * own[:, 0] + 4.0 * own[:, 2]))
        colour = colour * folds[:, None]
        rows = torch.nonzero(self.head[cone] > 0)[:, 0]
        if len(rows):
            colour[rows] = self._face(world[rows], frame[rows], colour[rows])
        return colour

    def _face(self, world: Tensor, frame: Tensor, colour: Tensor) -> Tensor:
        """Hair, eyes, brows, nostrils and mouth on the head."""
        x, y, z = torch.einsum("mi,mij->mj", world - self.face_centre[frame], self.face[frame]).unbind(-1)
        _, tall, deep = self.face_size
        front = z > 0.35 * deep
        hairy = (y > 0.66 * tall) | ((z < 0.1 * deep) & (y > -0.3 * tall))
        colour = torch.where(hairy[:, None], self.scalp, colour)
        aside = x.abs()

        def spot(at_x: float, at_y: float, wide: float, high: float) -> Tensor:
            return front & (((aside - at_x) / wide) ** 2 + ((y - at_y * tall) / high) ** 2 < 1.0)

        dark = torch.tensor([0.10, 0.07, 0.06], device=colour.device)
        colour = torch.where(spot(0.032, 0.06, 0.021, 0.016)[:, None], 0.72 * self.skin, colour)
        colour = torch.where(spot(0.032, 0.05, 0.016, 0.0085)[:, None], torch.full_like(dark, 0.85), colour)
        colour = torch.where(spot(0.032, 0.05, 0.008, 0.0085)[:, None], dark, colour)
        colour = torch.where(spot(0.033, 0.26, 0.022, 0.006)[:, None], 0.6 * self.hair + 0.4 * dark, colour)
        colour = torch.where(
            spot(0.0, -0.56, 0.027, 0.009)[:, None],
            self.skin * torch.tensor([0.78, 0.48, 0.48], device=colour.device),
            colour,
        )
        return torch.where(spot(0.008, -0.24, 0.009, 0.006)[:, None], 0.6 * self.skin, colour)
