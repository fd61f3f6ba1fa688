"""Which cones can be seen in which small squares of the picture, so that a ray asks only those near it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.synthetic.camera import Camera
from pipeline.synthetic.march import BLEND

TILE = 4
"""Pixels, the side of a tile."""


@dataclass(frozen=True)
class Tiles:
    """The tiles that a figure touches. touched: (F, G, N) bool, over each frame's grid of G tiles and N cones. origin:
    (F, 2) the pixel, x and y, at which a frame's grid begins. columns: tiles in a row of the grid."""

    touched: Tensor
    origin: Tensor
    columns: int


def find_tiles(start: Tensor, end: Tensor, radii: Tensor, camera: Camera) -> Tiles:
    """The tiles touched by cones in camera axes: (F, N, 3) starts and ends, (F, N, 2) radii, in metres."""
    reach = radii.amax(-1) + BLEND
    nearest = (torch.minimum(start[..., 2], end[..., 2]) - reach).clamp_min(0.15)
    wide = reach * camera.focal / nearest + 1.5
    middle = torch.tensor([camera.width / 2, camera.height_px / 2], device=start.device)
    first = start[..., :2] / start[..., 2:].clamp_min(0.15) * camera.focal + middle
    last = end[..., :2] / end[..., 2:].clamp_min(0.15) * camera.focal + middle
    limit = torch.tensor([camera.width, camera.height_px], device=start.device) - 1
    low = torch.minimum((torch.minimum(first, last) - wide[..., None]).amin(1).clamp_min(0), limit)
    high = torch.minimum((torch.maximum(first, last) + wide[..., None]).amax(1).clamp_min(0), limit)
    origin = (low / TILE).floor().long() * TILE
    cells = ((high - origin) / TILE).floor().long() + 1
    columns, rows = int(cells[:, 0].max()), int(cells[:, 1].max())
    grid_y, grid_x = torch.meshgrid(
        torch.arange(rows, device=start.device), torch.arange(columns, device=start.device), indexing="ij"
    )
    centre = (torch.stack([grid_x, grid_y], -1).reshape(-1, 2) + 0.5) * TILE
    centres = centre[None] + origin[:, None]
    along = last - first
    square = (along * along).sum(-1).clamp_min(1e-6)
    dot = centres.to(along.dtype) @ along.transpose(1, 2) - (first * along).sum(-1)[:, None]
    share = (dot / square[:, None]).clamp(0.0, 1.0)
    gap = centres[:, :, None] - first[:, None]
    gap = gap - share[..., None] * along[:, None]
    touches = (gap * gap).sum(-1) < (wide + TILE * 0.7072)[:, None] ** 2
    touches &= (torch.maximum(start[..., 2], end[..., 2]) > 0.3)[:, None]
    return Tiles(touches, origin, columns)
