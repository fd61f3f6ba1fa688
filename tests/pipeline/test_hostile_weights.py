"""Weights and thresholds that nobody meant well: an encoder that embeds, or one line that names the file."""

import json
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile import damaged, nothing_outside, numbers, outcome, plain, within_bounds
from hypothesis import example, given
from hypothesis import strategies as st
from tiny_encoder import save_tiny, walk

from pipeline.embed import load_embedder
from pipeline.errors import CheckpointError
from pipeline.settings import EncoderSettings
from pipeline.thresholds import Thresholds

Header = dict[str, Any]
CONFIG = ("layout", "frames", "hidden", "heads", "width", "scales", "fusion", "standardised", "more")
METADATA = ("weights", "threshold", "thresholds", "fps", "head", "canonical", "normalize", "form")
TYPES = (
    "F64",
    "F32",
    "F16",
    "BF16",
    "F8_E4M3",
    "F8_E5M2",
    "I64",
    "I32",
    "I16",
    "I8",
    "U8",
    "U64",
    "BOOL",
    "C64",
    "F4",
    "x",
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("weights") / "sound.safetensors")


def apart(path: Path) -> tuple[Header, bytes]:
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def together(path: Path, header: Header, body: bytes) -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path


def use(path: Path) -> None:
    """Load an encoder as every command does, and embed with it what it takes."""
    with nothing_outside(path.parent), np.errstate(all="ignore"):
        embedder = outcome(lambda: load_embedder(EncoderSettings(weights=str(path), device="cpu")), CheckpointError)
        if embedder is not None and embedder.fps == 15 and embedder.frames <= 40:
            vectors = outcome(lambda: embedder.embed([walk(1)]), CheckpointError)
            assert vectors is None or abs(np.linalg.norm(vectors) - 1) < 1e-3
            assert -1 <= embedder.thresholds.at(0.01) <= 1


@given(data=st.data())
def test_any_damage_is_told(sound: Path, data: st.DataObject) -> None:
    path = sound.with_name("damaged.safetensors")
    path.write_bytes(data.draw(damaged(sound.read_bytes())))
    use(path)


@given(config=st.dictionaries(st.sampled_from(CONFIG), plain | numbers, max_size=2))
@example(config={"fusion": 2**64})
@example(config={"frames": 10**9})
def test_any_config_is_used_or_refused(sound: Path, config: Header) -> None:
    header, body = apart(sound)
    told = json.loads(header["__metadata__"]["config"])
    header["__metadata__"]["config"] = json.dumps(told | config)
    use(together(sound.with_name("config.safetensors"), header, body))


parts = st.dictionaries(st.sampled_from(["encoder", "statistics", "statistics_seen", "more"]), numbers, max_size=3)


@example(metadata={"fps": 5e9})  # a second of it would fill the memory
@example(metadata={"fps": 0.0})
@given(metadata=st.dictionaries(st.sampled_from(METADATA), parts | plain | numbers, max_size=3))
def test_any_metadata_is_used_or_refused(sound: Path, metadata: Header) -> None:
    header, body = apart(sound)
    told = json.loads(header["__metadata__"]["metadata"])
    header["__metadata__"]["metadata"] = json.dumps(told | metadata)
    use(together(sound.with_name("metadata.safetensors"), header, body))


@given(data=st.data())
def test_any_tensor_is_used_or_refused(sound: Path, data: st.DataObject) -> None:
    header, body = apart(sound)
    names = sorted(header.keys() - {"__metadata__"})
    for name in data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=3)):
        odd = st.one_of(numbers, st.lists(st.integers(-1, 2**64), max_size=3))
        change = st.fixed_dictionaries(
            {}, optional={"dtype": st.sampled_from(TYPES), "shape": odd, "data_offsets": odd}
        )
        header[name] = header[name] | data.draw(change)
    use(together(sound.with_name("tensor.safetensors"), header, body))


@given(data=st.data())
def test_any_numbers_are_used_or_refused(sound: Path, data: st.DataObject) -> None:
    header, body = apart(sound)
    changed = bytearray(body)
    for _ in range(data.draw(st.integers(1, 20))):
        place = 4 * data.draw(st.integers(0, len(body) // 4 - 1))
        value = data.draw(st.sampled_from([0.0, -0.0, 1e-38, 3e38, -3e38, np.nan, np.inf]) | st.floats(width=32))
        struct.pack_into("<f", changed, place, value)
    use(together(sound.with_name("numbers.safetensors"), header, bytes(changed)))


@given(
    document=plain
    | st.fixed_dictionaries(
        {
            "rates": st.lists(numbers, max_size=3) | plain,
            "templates": st.lists(numbers, max_size=3) | plain,
            "similarity": st.lists(st.lists(numbers, max_size=3), max_size=3) | plain,
            "rejects": st.lists(st.tuples(numbers, numbers), max_size=3) | plain,
            "people": numbers,
            "pairs": numbers,
        }
    )
)
def test_any_thresholds_are_used_or_refused(document: Any) -> None:
    with suppress(ValueError):
        assert -1 <= Thresholds.from_json(json.loads(json.dumps(document))).at(1.0, 3) <= 1


def test_files_made_to_use_up_memory(sound: Path, tmp_path: Path) -> None:
    header, body = apart(sound)

    def with_config(name: str, **config: Any) -> Path:
        told = json.loads(header["__metadata__"]["config"]) | config
        changed = header | {"__metadata__": header["__metadata__"] | {"config": json.dumps(told)}}
        return together(tmp_path / name, changed, body)

    def with_metadata(name: str, text: str) -> Path:
        return together(tmp_path / name, header | {"__metadata__": header["__metadata__"] | {"metadata": text}}, body)

    told = json.loads(header["__metadata__"]["metadata"])
    files = [
        with_config("hidden", hidden=200_000),
        with_config("heads", heads=10**9),
        with_config("width", width=100_000),
        with_config("frames", frames=10**9),
        with_metadata("head", json.dumps(told | {"head": {"width": 10**9}})),
        with_metadata("brackets", "[" * 1_000_000),
        together(
            tmp_path / "shape",
            header | {"extra.more": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4]}},
            body,
        ),
        tmp_path / "length",
    ]
    files[-1].write_bytes(struct.pack("<Q", 2**62) + b"{}")
    loads = "from pipeline.embed import load_embedder\nfrom pipeline.settings import EncoderSettings\n"
    loads += "load = lambda path: load_embedder(EncoderSettings(weights=path, device='cpu'))\n"
    loads += f"load({str(sound)!r})"
    lines = within_bounds(loads, files)
    assert len(lines) == len(files)
    for line, file in zip(lines, files, strict=True):
        assert line.startswith((str(file), f"{file.name}: ", "the encoder's head")), line
