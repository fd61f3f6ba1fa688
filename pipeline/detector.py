"""An ONNX person detector in YOLOX's format, for users who have one: a picture to the boxes of the people in it.

After Ge et al., "YOLOX: Exceeding YOLO Series in 2021" (arXiv 2107.08430), and the demo of its authors: the picture is
scaled into the upper left corner of a grey square, BGR, values 0 to 255; each of the N outputs belongs to a cell of a
grid and gives x, y, width, height, the sureness that something is there, and one for each class, the person's first.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.errors import DetectorError
from pipeline.names import reason_of

STRIDES = ((8, 16, 32), (8, 16, 32, 64))  # pixels a cell of each grid, in the usual models and in the largest
SIDE = 640  # pixels, where the model leaves its input's size open
LARGEST_SIDE = 2048
LARGEST_FILE = 1 << 30  # bytes
GREY = 114
SURE = 0.3  # of a box that is worth a look
SHARED = 0.5  # intersection over union above which two boxes are one person


class PersonDetector:
    """One detector, loaded. A call gives the boxes (4,) in pixels, x0 y0 x1 y1, the surest first.

    Raises `DetectorError` where onnxruntime is missing, the file cannot be read or is no such model, or a call fails.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._session: Any = _session(self._path)
        inputs = self._session.get_inputs()
        shape = list(inputs[0].shape) if len(inputs) == 1 else []
        if len(shape) != 4 or shape[1] != 3 or inputs[0].type != "tensor(float)":
            raise self._wrong("its input should be one picture of floats, (1, 3, height, width)")
        if isinstance(shape[0], int) and shape[0] != 1:
            raise self._wrong(f"it takes {shape[0]} pictures at once; export it for one")
        self._name = inputs[0].name
        self._height, self._width = (side if isinstance(side, int) else SIDE for side in shape[2:])
        if any(side % 32 or not 32 <= side <= LARGEST_SIDE for side in (self._height, self._width)):
            sides = f"{self._height} x {self._width}"
            raise self._wrong(f"its input is {sides}, which should be multiples of 32 up to {LARGEST_SIDE}")
        # Asked once, so that a model of another format is refused before any footage is read.
        self(np.full((self._height, self._width, 3), GREY, np.uint8))

    def __call__(self, rgb: np.ndarray) -> list[np.ndarray]:
        """The boxes of the people in a picture (H, W, 3) uint8."""
        height, width = rgb.shape[:2]
        picture, scale = letterbox(rgb, self._height, self._width)
        try:
            output = self._session.run(None, {self._name: picture})[0]
        except Exception as error:  # onnxruntime has a class of its own for each failure, and documents none
            raise self._wrong(f"it cannot be run ({reason_of(error)})") from error
        try:
            boxes = decode(np.asarray(output), self._height, self._width)
        except ValueError as error:
            raise self._wrong(str(error)) from error
        limits = np.array([width, height, width, height], np.float64)
        inside = np.clip(boxes / scale, 0.0, limits)
        return [box for box in inside if (box[2:] - box[:2]).min() >= 1.0]

    def _wrong(self, what: str) -> DetectorError:
        return DetectorError(f"the person detector {self._path} cannot be used: {what}; give a model exported by YOLOX")


def letterbox(rgb: np.ndarray, height: int, width: int) -> tuple[np.ndarray, float]:
    """(H, W, 3) uint8 to (1, 3, height, width) float32 as YOLOX sees it, and the scale from one to the other."""
    scale = min(height / rgb.shape[0], width / rgb.shape[1])
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    square = np.full((height, width, 3), GREY, np.uint8)
    square[: size[1], : size[0]] = cv2.resize(rgb, size, interpolation=cv2.INTER_LINEAR)[:, :, ::-1]
    return np.ascontiguousarray(square.transpose(2, 0, 1)[None], dtype=np.float32), scale


def decode(output: np.ndarray, height: int, width: int) -> np.ndarray:
    """(1, N, 5 + classes) of a picture of `height` x `width` to (M, 4) boxes of people, the surest first.

    Exports that leave the decoding to the reader and those that do it themselves look alike; in the latter the places
    lie near their cells. Raises ValueError where the output's shape is not of this format.
    """
    if output.ndim != 3 or output.shape[0] != 1 or output.shape[2] < 6 or output.dtype.kind != "f":
        raise ValueError(f"its output is {output.dtype} {tuple(output.shape)}, not (1, cells, 5 and the classes)")
    cells, strides = _grid(output.shape[1], height, width)
    rows = np.asarray(output[0], np.float64)
    sure = rows[:, 4] * rows[:, 5]
    keep = np.isfinite(rows[:, :6]).all(axis=1)
    centre, size = rows[:, :2], rows[:, 2:4]
    if keep.any():
        from_corner = np.median(np.abs(centre[keep]))
        from_cell = np.median(np.abs(centre[keep] - (cells[keep] + 0.5) * strides[keep]))
        if from_corner <= from_cell:
            centre = (centre + cells) * strides
            size = np.exp(np.minimum(size, 20.0)) * strides
    keep &= (sure >= SURE) & (size > 0).all(axis=1)
    corner, size, sure = (centre - size / 2)[keep], size[keep], sure[keep]
    corner, size = np.clip(corner, -width, 2 * width), np.clip(size, 0, 4 * max(width, height))
    kept = cv2.dnn.NMSBoxes(np.hstack([corner, size]).tolist(), sure.tolist(), 0.0, SHARED) if len(sure) else ()
    return np.asarray(np.hstack([corner, corner + size])[np.asarray(kept, np.int64).ravel()])


def _grid(count: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) column and row, and (N, 1) pixels, of the cells that the outputs belong to, in YOLOX's order."""
    for strides in STRIDES:
        if sum((height // stride) * (width // stride) for stride in strides) == count:
            cells = [
                np.stack(np.meshgrid(np.arange(width // stride), np.arange(height // stride)), axis=-1).reshape(-1, 2)
                for stride in strides
            ]
            sizes = [np.full((len(part), 1), stride) for part, stride in zip(cells, strides, strict=True)]
            return np.concatenate(cells).astype(np.float64), np.concatenate(sizes).astype(np.float64)
    raise ValueError(f"it gives {count} cells for a picture of {width} x {height}, not those of strides 8, 16 and 32")


def _session(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise DetectorError(
            "a person detector needs onnxruntime, which is not installed: pip install 'reid[detector]'"
        ) from error
    try:
        with path.open("rb") as file:
            model = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise DetectorError(f"cannot read the person detector {path}: {error.strerror}") from error
    if len(model) > LARGEST_FILE:
        raise DetectorError(f"the person detector {path} is larger than {LARGEST_FILE >> 20} MiB: give another model")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised as well
    try:
        # From memory: a model in a file may name other files, whose contents would be read with it.
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # see above
        raise DetectorError(
            f"the person detector {path} is no ONNX model ({reason_of(error)}): give another"
        ) from error
