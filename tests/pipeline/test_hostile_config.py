"""Configurations that nobody meant well: settings, or one line that names the file or the option."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hostile import nothing_outside, numbers, outcome, plain, within_bounds
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.config import load_config
from pipeline.errors import ConfigError
from pipeline.rgb_config import RgbConfig
from pipeline.settings import Settings
from smsge.config import TrainConfig

KINDS: tuple[Any, ...] = (Settings, TrainConfig, RgbConfig)
NAMES = ("search", "top", "far", "video", "encoder", "device", "batch", "people", "scales", "data", "out", "recipe")
SIGNS = (
    *"-?:,[]{}#&*!|>'\"%@` \n\t\0\x1b_.0x9e+=~<", "\n  ", ": ", "- ", "? ", "!!", "<<: ", "2020-01-01", "1:59:59",
    "!!binary ", "!!set ", "!!python/object/apply:os.system [id]", "é", "\ud800", "\u2028", "\ufeff", *NAMES,
)  # fmt: skip

words = st.lists(st.sampled_from(SIGNS), max_size=14).map("".join)
values = st.one_of(plain, numbers, st.dates(), st.datetimes(), st.binary(max_size=9))
sections = st.dictionaries(st.sampled_from(NAMES) | st.dates() | st.text(max_size=5), values, max_size=5)
mappings = st.dictionaries(st.sampled_from(NAMES), sections | values, max_size=5)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("settings") / "config.yaml"


@pytest.mark.parametrize("kind", KINDS)
@given(text=st.one_of(words, mappings.map(yaml.safe_dump)))
@example(text="? []\n: 1\n? []\n: 2\n")
@example(text="search: {top: {2020-01-01: 1}}")
@example(text="search: {top: 0x" + "f" * 9000 + "}")
@example(text='? "a\\nb\\e[2J"\n: 1')
def test_any_file_is_settings_or_refused(place: Path, kind: Any, text: str) -> None:
    place.write_bytes(text.encode("utf-8", "surrogatepass"))
    with nothing_outside(place.parent):
        outcome(lambda: load_config(kind, place), ConfigError)


@given(data=st.binary(max_size=60))
def test_any_bytes_are_settings_or_refused(place: Path, data: bytes) -> None:
    place.write_bytes(data)
    outcome(lambda: load_config(Settings, place), ConfigError)


@pytest.mark.parametrize("kind", KINDS)
@given(
    key=st.sampled_from(["search.top", "search", "encoder.device", "encoder.scales", "people", ""]) | words, text=words
)
@example(key="search.top", text="{2020-01-01: 1}")
@example(key="a\nb", text="")
@example(key="x" * 100_000, text="9" * 100_000)
def test_any_override_is_a_setting_or_refused(kind: Any, key: str, text: str) -> None:
    for override in (f"{key}={text}", key):
        outcome(lambda given=override: load_config(kind, None, [given]), ConfigError)


def test_files_made_to_use_up_time_and_memory(tmp_path: Path) -> None:
    texts = {
        "keys": "{" + ", ".join(f"a{number}: 1" for number in range(26_000)) + "}",
        "brackets": "search: {top: " + "[" * 100_000,
        "a long key": f"search: {{? {'top' * 60_000} : 1}}",
        "aliases": "a: &a [1, 1]\n"
        + "".join(f"{x}: &{x} [*{y}, *{y}]\n" for x, y in zip("bcdefg", "abcdef", strict=True)),
        "a number": "search: {top: " + "9" * 200_000 + "}",
        "people": "data: a\nout: b\npeople: 1-99999999",
    }
    files = []
    for name, text in texts.items():
        files.append(tmp_path / f"{name}.yaml")
        files[-1].write_text(text)
    loads = "from pipeline.config import load_config\nfrom smsge.config import TrainConfig\n"
    loads += "load = lambda path: load_config(TrainConfig, path)"
    told = within_bounds(loads, files, megabytes=128)
    assert [line.partition(".yaml")[0] for line in told] == [str(file.with_suffix("")) for file in files]
