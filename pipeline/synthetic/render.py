"""Draws a figure of round cones by sphere tracing, on the pixels it can touch only.

The picture is cut in tiles, each with the list of the cones it may show. Tiles with lists of about the same length are
marched together: on the CPU in blocks that stay in its cache, on a GPU in large ones.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from pipeline.synthetic.camera import Camera
from pipeline.synthetic.figure import Figure
from pipeline.synthetic.march import cone_table, march
from pipeline.synthetic.shade import Light, Paint
from pipeline.synthetic.tiles import TILE, Tiles, find_tiles

_FRAMES = {"cpu": 16, "cuda": 64}  # worked on together
_PAIRS = {"cpu": 1 << 16, "cuda": 1 << 23}  # of a ray and a cone, in one block


@dataclass(frozen=True)
class Layer:
    """What one figure covers in one frame. index: (M,) pixel numbers, row by row. colour: (M, 3) in [0, 1]. cover:
    (M,) in (0, 1]. depth: (M,) metres in front of the camera."""

    index: np.ndarray
    colour: np.ndarray
    cover: np.ndarray
    depth: np.ndarray


def draw(figure: Figure, camera: Camera, light: Light, device: str = "cpu") -> Iterator[Layer]:
    """The layer of each of the figure's frames, in order. device: cpu or cuda."""
    target = torch.device(device)
    step = _FRAMES.get(target.type, 16)
    for first in range(0, len(figure.start), step):
        with _one_thread():
            layers = _draw_frames(figure, slice(first, first + step), camera, light, target)
        yield from layers


@contextmanager
def _one_thread() -> Iterator[None]:
    """The blocks are small: threads would wait for each other longer than they work, on a busy machine most of all."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _draw_frames(figure: Figure, frames: slice, camera: Camera, light: Light, device: torch.device) -> list[Layer]:
    def tensor(value: np.ndarray) -> Tensor:
        return torch.as_tensor(np.asarray(value, dtype=np.float32), device=device)

    start, end = tensor(camera.to_camera(figure.start[frames])), tensor(camera.to_camera(figure.end[frames]))
    radii = tensor(figure.radii).expand(len(start), -1, -1)
    tiles = find_tiles(start, end, radii, camera)
    table = cone_table(start, end, radii)
    reach = torch.stack([start.norm(dim=-1), end.norm(dim=-1)])
    near, far = reach.amin(0) - radii.amax(-1) - 0.02, reach.amax(0) + radii.amax(-1)
    paint = Paint(figure, frames, camera, light, tensor)
    pieces: list[tuple[Tensor, ...]] = []
    for frame, tile, longest in _blocks(tiles, _PAIRS.get(device.type, 1 << 16)):
        used, which = tiles.touched[frame, tile].to(torch.uint8).topk(longest, dim=-1)
        spare = used == 0
        x, y = _pixels(tiles, frame, tile)
        rays = _rays(x, y, camera)
        cones = table[frame[:, None], which]
        cones[..., 7] = cones[..., 7].masked_fill(spare, -50.0)  # fills short lists up: far from everything
        bounds = near[frame[:, None], which].masked_fill(spare, 1e6), far[frame[:, None], which].masked_fill(spare, 0.0)
        seen, t, cover = march(rays, cones, (bounds[0].amin(-1), bounds[1].amax(-1)), 1.0 / camera.focal)
        seen &= (x < camera.width) & (y < camera.height_px)
        row, column = torch.nonzero(seen, as_tuple=True)
        if len(row):
            direction, depth = rays[row, column], t[row, column]
            colour = paint.shade(direction, depth, cones[row], which[row], frame[row])
            index = y[row, column] * camera.width + x[row, column]
            pieces.append((frame[row], index, colour, cover[row, column], depth * direction[:, 2]))
    return _layers(pieces, len(start))


def _blocks(tiles: Tiles, pairs: int) -> Iterator[tuple[Tensor, Tensor, int]]:
    """Frame and tile numbers of the tiles that show something, those with short lists first, cut into blocks of about
    `pairs` pairs of a ray and a cone; with each, the length of its longest list."""
    lengths = tiles.touched.sum(-1)
    frame, tile = torch.nonzero(lengths, as_tuple=True)
    length = lengths[frame, tile]
    order = torch.argsort(length)
    frame, tile, sizes = frame[order], tile[order], length[order].cpu().numpy()
    begin = 0
    while begin < len(sizes):
        about = int(sizes[min(begin + 64, len(sizes) - 1)])
        stop = min(begin + max(1, pairs // (TILE * TILE * about)), len(sizes))
        yield frame[begin:stop], tile[begin:stop], int(sizes[stop - 1])
        begin = stop


def _pixels(tiles: Tiles, frame: Tensor, tile: Tensor) -> tuple[Tensor, Tensor]:
    """(B, TILE * TILE) column and row of each pixel of B tiles."""
    offset = torch.arange(TILE * TILE, device=tile.device)
    x = ((tile % tiles.columns) * TILE + tiles.origin[frame, 0])[:, None] + offset % TILE
    y = ((tile // tiles.columns) * TILE + tiles.origin[frame, 1])[:, None] + offset // TILE
    return x, y


def _rays(x: Tensor, y: Tensor, camera: Camera) -> Tensor:
    """(B, P, 3) unit directions, in camera axes, through the middles of pixels."""
    across, down = x + (0.5 - camera.width / 2), y + (0.5 - camera.height_px / 2)
    return torch.nn.functional.normalize(
        torch.stack([across, down, torch.full_like(across, camera.focal)], dim=-1), dim=-1
    )


def _layers(pieces: list[tuple[Tensor, ...]], count: int) -> list[Layer]:
    """The pieces of `count` frames, sorted into frames."""
    if not pieces:
        none = np.zeros(0, dtype=np.float32)
        return [Layer(np.zeros(0, dtype=np.int64), np.zeros((0, 3), dtype=np.float32), none, none)] * count
    frame, index, colour, cover, depth = (torch.cat(parts).cpu().numpy() for parts in zip(*pieces, strict=True))
    order = np.argsort(frame, kind="stable")
    edges = np.searchsorted(frame[order], np.arange(count + 1))
    cuts = [order[first:last] for first, last in pairwise(edges)]
    return [Layer(index[cut], colour[cut], cover[cut], depth[cut]) for cut in cuts]
