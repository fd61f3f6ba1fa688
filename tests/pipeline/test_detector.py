"""A person detector in YOLOX's format: what its numbers mean, and files that are none."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tiny_onnx import INT64, constant_model

from pipeline.detector import PersonDetector, decode, letterbox
from pipeline.errors import DetectorError

CELLS = 8 * 8 + 4 * 4 + 2 * 2  # of a picture of 64 x 64
needs_onnxruntime = pytest.mark.skipif(find_spec("onnxruntime") is None, reason="onnxruntime is not installed")


def raw(*found: tuple[int, list[float]]) -> np.ndarray:
    """The output of a model that leaves the decoding to the reader: at each cell the ten numbers given."""
    output = np.zeros((1, CELLS, 10), np.float32)
    for cell, numbers in found:
        output[0, cell, : len(numbers)] = numbers
    return output


def decoded(*found: tuple[int, list[float]]) -> np.ndarray:
    """The same of a model that decodes by itself: every place lies near its cell."""
    output = np.zeros((1, CELLS, 10), np.float32)
    cell = 0
    for stride in (8, 16, 32):
        for row in range(64 // stride):
            for column in range(64 // stride):
                output[0, cell, :4] = (column + 0.5) * stride, (row + 0.5) * stride, stride, stride
                cell += 1
    for cell, numbers in found:
        output[0, cell, : len(numbers)] = numbers
    return output


def test_raw_outputs_are_offsets_from_cells_and_logarithms_of_sizes() -> None:
    cell = 64 + 4 * 2 + 1  # stride 16, row 2, column 1
    boxes = decode(raw((cell, [0.5, 0.25, np.log(1.0), np.log(2.0), 0.9, 0.8])), 64, 64)
    np.testing.assert_allclose(boxes, [[24 - 8, 36 - 16, 24 + 8, 36 + 16]], atol=1e-4)


def test_decoded_outputs_are_pixels() -> None:
    boxes = decode(decoded((70, [30.0, 20.0, 10.0, 24.0, 0.9, 0.8])), 64, 64)
    np.testing.assert_allclose(boxes, [[25, 8, 35, 32]], atol=1e-4)


def test_a_picture_that_is_not_square_has_its_own_grid() -> None:
    output = np.zeros((1, 4 * 8 + 2 * 4 + 1 * 2, 6), np.float32)
    output[0, 8 * 3 + 6] = 0.5, 0.5, 0.0, 0.0, 1.0, 1.0
    np.testing.assert_allclose(decode(output, 32, 64), [[48, 24, 56, 32]], atol=1e-4)


def test_the_surest_comes_first_and_a_person_counts_once() -> None:
    output = raw(
        (9, [0.5, 0.5, 1.0, 1.0, 0.9, 0.5]),
        (10, [-0.4, 0.5, 1.0, 1.0, 0.9, 0.9]),  # the same one, from the next cell
        (60, [0.5, 0.5, 0.0, 1.0, 0.9, 0.6]),
    )
    boxes = decode(output, 64, 64)
    assert len(boxes) == 2
    assert boxes[0, 0] < boxes[1, 0]
    np.testing.assert_allclose(boxes[0, :2], [(2 - 0.4) * 8 - 4 * np.e, 12 - 4 * np.e], atol=1e-4)


def test_the_unsure_other_classes_and_what_is_no_number_are_left_out() -> None:
    output = raw(
        (9, [0.5, 0.5, 1.0, 1.0, 0.5, 0.5]),
        (20, [0.5, 0.5, 1.0, 1.0, 0.9, 0.0, 0.9]),
        (30, [np.nan, 0.5, 1.0, 1.0, 0.9, 0.9]),
        (40, [0.5, 0.5, np.inf, 1.0, 0.9, 0.9]),
    )
    assert decode(output, 64, 64).shape == (0, 4)


def test_a_size_beyond_all_bounds_does_not_overflow() -> None:
    with np.errstate(over="raise"):
        assert np.isfinite(decode(raw((9, [1e30, 0.5, 1e30, 1e30, 0.9, 0.9])), 64, 64)).all()


@pytest.mark.parametrize(
    ("output", "what"),
    [
        (np.zeros((1, 100, 7), np.float32), "100 cells"),
        (np.zeros((100, 7), np.float32), r"\(100, 7\)"),
        (np.zeros((1, CELLS, 5), np.float32), "classes"),
        (np.zeros((1, CELLS, 7), np.int64), "int64"),
    ],
)
def test_an_output_of_another_format_is_refused(output: np.ndarray, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        decode(output, 64, 64)


def test_the_picture_goes_into_the_upper_left_corner_blue_first() -> None:
    rgb = np.zeros((50, 100, 3), np.uint8)
    rgb[..., 0], rgb[..., 2] = 200, 10
    picture, scale = letterbox(rgb, 64, 64)
    assert picture.shape == (1, 3, 64, 64)
    assert picture.dtype == np.float32
    assert scale == pytest.approx(0.64)
    np.testing.assert_array_equal(picture[0, :, 31, 63], [10, 0, 200])
    np.testing.assert_array_equal(picture[0, :, 32, 0], [114, 114, 114])


@needs_onnxruntime
def test_boxes_come_back_in_pixels_of_the_frame(tmp_path: Path) -> None:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(constant_model(decoded((70, [30.0, 16.0, 10.0, 24.0, 0.9, 0.8]), (3, [60, 4, 20, 8, 0.9, 0.9]))))
    boxes = PersonDetector(path)(np.zeros((320, 640, 3), np.uint8))
    np.testing.assert_allclose(boxes, [[500, 0, 640, 80], [250, 40, 350, 280]], atol=1e-3)


@needs_onnxruntime
@pytest.mark.parametrize(
    ("model", "what"),
    [
        (b"", "no ONNX model"),
        (b"\x80\x04\x95 something else", "no ONNX model"),
        (constant_model(raw())[:-40], "no ONNX model"),
        (constant_model(np.zeros((1, 7, 10))), "7 cells"),
        (constant_model(raw(), shape=(1, 3, 60, 64)), "60 x 64"),
        (constant_model(raw(), shape=(1, 3, 1 << 20, 64)), "1048576 x 64"),
        (constant_model(raw(), shape=(4, 3, 64, 64)), "4 pictures at once"),
        (constant_model(raw(), shape=(1, 64)), "one picture"),
        (constant_model(raw(), kind=INT64), "one picture"),
    ],
)
def test_a_file_that_is_no_such_model_is_told_in_one_line(tmp_path: Path, model: bytes, what: str) -> None:
    path = tmp_path / "wrong.onnx"
    path.write_bytes(model)
    with pytest.raises(DetectorError, match=what) as told:
        PersonDetector(path)
    assert "wrong.onnx" in str(told.value)
    assert "\n" not in str(told.value)


@needs_onnxruntime
def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match=r"cannot read the person detector .*none\.onnx: No such file"):
        PersonDetector(tmp_path / "none.onnx")


def test_without_onnxruntime_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(DetectorError, match=r"pip install 'reid\[detector\]'"):
        PersonDetector(os.devnull)
