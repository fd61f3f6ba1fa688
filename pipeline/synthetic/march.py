"""Sphere tracing of round cones: rays in, where they meet the blended surface out.

Along a ray p(t) = t r from the camera, the foot of p on a cone's axis and its squared distance from the axis's start
are polynomials in t, so their coefficients are computed once a ray and cone, and every step of the march costs a dozen
operations (the distance to a round cone follows from them as in Quilez, "Distance functions"). The smooth union is the
soft minimum -k log sum exp(-d / k). A cone is a row of 10: start (3), unit axis (3), length, radius at the start, slope
(the radius lost a metre), tangent of the slope's angle; all in camera axes and metres.
"""

import torch
from torch import Tensor

BLEND = 0.012
"""Metres, the k of the soft minimum."""
_HIT = 0.002
_DENSE_STEPS, _SPARSE_STEPS = 5, 22


def cone_table(start: Tensor, end: Tensor, radii: Tensor) -> Tensor:
    """(..., 10) rows of cones from (..., 3) starts and ends and (..., 2) radii."""
    axis = end - start
    span = axis.norm(dim=-1, keepdim=True).clamp_min(1e-4)
    slope = ((radii[..., :1] - radii[..., 1:]) / span).clamp(-0.97, 0.97)
    return torch.cat([start, axis / span, span, radii[..., :1], slope, slope / (1 - slope * slope).sqrt()], dim=-1)


class _Terms:
    """The coefficients along rays for their cones: leading dimensions (..., P, K)."""

    def __init__(self, rays: Tensor, cones: Tensor) -> None:
        start, axis = cones[..., :3], cones[..., 3:6]
        self.span, self.radius, self.slope, self.tangent = (cones[..., None, :, i] for i in (6, 7, 8, 9))
        self.a0 = -(start * axis).sum(-1)[..., None, :]
        self.a1 = rays @ axis.transpose(-1, -2)
        self.c0 = (start * start).sum(-1)[..., None, :]
        self.c1 = rays @ (-2.0 * start).transpose(-1, -2)

    def distances(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Distances to each cone and the foot on its axis in metres, at (..., P) t."""
        t = t[..., None]
        y = torch.addcmul(self.a0, self.a1, t)
        q = torch.addcmul(self.c0, self.c1 + t, t)
        x = torch.addcmul(q, y, y, value=-1.0).clamp_min_(1e-10).sqrt_()
        s = torch.addcmul(y, x, self.tangent, value=-1.0).clamp_min_(0.0)
        s = torch.minimum(s, self.span)
        d = torch.addcmul(q, s, torch.add(s, y, alpha=-2.0)).clamp_min_(1e-10).sqrt_()
        return d.sub_(self.radius).addcmul_(self.slope, s), s

    def pick(self, row: Tensor, column: Tensor) -> "_Terms":
        """The terms of single rays, as (M, K)."""
        chosen = object.__new__(_Terms)
        for name in ("span", "radius", "slope", "tangent", "a0", "c0"):
            setattr(chosen, name, getattr(self, name)[row, 0])
        chosen.a1, chosen.c1 = self.a1[row, column], self.c1[row, column]
        return chosen

    def keep(self, rows: Tensor) -> "_Terms":
        """The terms of some of the single rays."""
        chosen = object.__new__(_Terms)
        for name in ("span", "radius", "slope", "tangent", "a0", "c0", "a1", "c1"):
            setattr(chosen, name, getattr(self, name)[rows])
        return chosen


def _soft(distance: Tensor) -> Tensor:
    """The soft minimum over the last dimension."""
    least = distance.amin(-1, keepdim=True)
    soft: Tensor = least[..., 0] - BLEND * torch.exp((least - distance) / BLEND).sum(-1).log()
    return soft


def march(rays: Tensor, cones: Tensor, bounds: tuple[Tensor, Tensor], pixel: float) -> tuple[Tensor, Tensor, Tensor]:
    """(tiles, P) whether each ray sees the figure, at which t, and how much of its pixel is covered."""
    terms = _Terms(rays, cones)
    t = bounds[0][:, None].expand(rays.shape[:2]).clone()
    best, best_t = torch.full_like(t, 1e6), t.clone()
    for _ in range(_DENSE_STEPS):
        gap = _soft(terms.distances(t)[0])
        closer = gap < best
        best_t = torch.where(closer, t, best_t)
        best = torch.where(closer, gap, best)
        t = torch.where(gap < _HIT, t, t + gap)
    last = bounds[1][:, None]
    row, column = torch.nonzero((best > _HIT) & (t < last), as_tuple=True)
    if len(row):
        here, own, own_t, end = t[row, column], best[row, column], best_t[row, column], last[row, 0]
        sparse, alive = terms.pick(row, column), torch.arange(len(row), device=t.device)
        for step in range(_SPARSE_STEPS):
            gap = _soft(sparse.distances(here[alive])[0])
            closer = gap < own[alive]
            own_t[alive] = torch.where(closer, here[alive], own_t[alive])
            own[alive] = torch.where(closer, gap, own[alive])
            here[alive] = here[alive] + gap
            going = (gap > _HIT) & (here[alive] < end[alive])
            if step % 2 == 1:
                alive = alive[going]
                if len(alive) == 0:
                    break
                sparse = sparse.keep(going)
        best[row, column], best_t[row, column] = own, own_t
    size = best_t * pixel
    cover = (1.15 - (best - _HIT).clamp_min(0.0) / (0.9 * size)).clamp(0.0, 1.0)
    return cover > 0.02, best_t, cover


def point_distances(place: Tensor, cones: Tensor) -> tuple[Tensor, Tensor]:
    """(M, K) distances of M points to their K cones, and the feet on the axes in metres."""
    gap = place[:, None] - cones[..., :3]
    y = (gap * cones[..., 3:6]).sum(-1)
    q = (gap * gap).sum(-1)
    x = (q - y * y).clamp_min(1e-10).sqrt()
    s = torch.minimum((y - x * cones[..., 9]).clamp_min(0.0), cones[..., 6])
    return (q + s * (s - 2 * y)).clamp_min(1e-10).sqrt() - cones[..., 7] + cones[..., 8] * s, s
