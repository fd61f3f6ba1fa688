"""A tiny ONNX model, written byte by byte: a picture goes in, and what comes out is one array whatever was in it."""

import numpy as np

FLOAT, INT64 = 1, 7  # TensorProto.DataType


def constant_model(output: np.ndarray, shape: tuple[int, ...] = (1, 3, 64, 64), kind: int = FLOAT) -> bytes:
    """The file of a model with an input of `shape`, -1 for a side left open, that always gives `output` (float32)."""
    tensor = b"".join(_number(1, side) for side in output.shape) + _number(2, FLOAT) + _text(8, "boxes")
    tensor += _bytes(9, output.astype("<f4").tobytes())
    node = _text(1, "boxes") + _text(2, "output") + _text(4, "Identity")
    graph = _bytes(1, node) + _text(2, "tiny") + _bytes(5, tensor)
    graph += _bytes(11, _value("images", shape, kind)) + _bytes(12, _value("output", output.shape, FLOAT))
    return _number(1, 8) + _bytes(8, _number(2, 13)) + _bytes(7, graph)


def _value(name: str, shape: tuple[int, ...], kind: int) -> bytes:
    sides = b"".join(_bytes(1, _number(1, side) if side >= 0 else _text(2, f"side{n}")) for n, side in enumerate(shape))
    return _text(1, name) + _bytes(2, _bytes(1, _number(1, kind) + _bytes(2, sides)))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
