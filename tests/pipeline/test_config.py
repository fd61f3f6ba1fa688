"""Configuration is read strictly, and what is refused is refused by name."""

import subprocess
import sys
from dataclasses import dataclass, field, fields
from pathlib import Path

import pytest
import yaml

from pipeline.config import MAX_BYTES, load_config, load_settings
from pipeline.errors import ConfigError
from pipeline.rgb_config import RgbConfig
from pipeline.settings import Settings
from smsge.config import TrainConfig

ROOT = Path(__file__).parents[2]


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "my.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_given_is_the_defaults() -> None:
    assert load_settings() == Settings()


def test_default_yaml_shows_every_setting_at_its_default() -> None:
    path = ROOT / "configs" / "default.yaml"
    assert load_settings(path) == Settings()
    shown = yaml.safe_load(path.read_text("utf-8"))
    assert {name: set(section) for name, section in shown.items()} == {
        section.name: {f.name for f in fields(section.default_factory)}  # type: ignore[arg-type]
        for section in fields(Settings)
    }


def test_file_then_overrides(tmp_path: Path) -> None:
    path = write(tmp_path, "search: {top: 3, threshold: 0.5}\npose:\n  model: lite\n")
    settings = load_settings(path, ["search.top=7", "pose.min_confidence=1e-1", "encoder.weights=123"])
    assert (settings.search.top, settings.search.threshold) == (7, 0.5)
    assert (settings.pose.model, settings.pose.min_confidence) == ("lite", 0.1)
    assert settings.encoder.weights == "123"  # a text stays a text
    assert load_settings(path, ["search.threshold=null"]).search.threshold is None


@pytest.mark.parametrize("text", ["", "# only a comment\n", "search:\n", "search:\n  # top: 3\n"])
def test_empty_files_and_sections_are_the_defaults(tmp_path: Path, text: str) -> None:
    assert load_settings(write(tmp_path, text)) == Settings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("serach: {top: 3}", "unknown setting 'serach'; did you mean 'search'?"),
        ("search: {tpo: 3}", "unknown setting 'search.tpo'; did you mean 'search.top'?"),
        ("video: {threshold: 0.5}", "unknown setting 'video.threshold'; did you mean 'search.threshold'?"),
        ("qqqq: 1", "known are batch, encoder, gallery, normalize, pose, quality, search, tracking, video"),
        ("7: 1", "unknown setting '7'"),
        ("search.top: 3", "unknown setting 'search.top'"),
        ("search: {top: five}", "search.top cannot be 'five': input should be a valid integer"),
        ("search: {top: 3.5}", "search.top cannot be 3.5"),
        ("search: {top: true}", "search.top cannot be True"),
        ("search: {threshold: '0.5'}", "search.threshold cannot be '0.5'"),
        ("pose: {model: 3}", "pose.model cannot be 3"),
        ("search: {top: 0}", "search.top must be from 1 to 10000, not 0"),
        ("search: {threshold: .nan}", "search.threshold must be from -1 to 1, not nan"),
        ("encoder: {device: 'cuda:99999'}", "encoder.device must be auto"),
        ("encoder: {device: tpu}", "encoder.device must be auto, cpu, cuda or cuda:N, not 'tpu'"),
        ("search: 3", "search cannot be 3"),
        ("- 1\n- 2", "is not a mapping"),
        ("just words", "is not a mapping"),
        ("search: {top: 3", "is not YAML"),
        ("search: {top: 3}\nsearch: {top: 4}", "'search' is given twice"),
        ("a: &a [1]\nb: *a", "aliases"),
        ("x: !!python/object/apply:os.system ['true']", "is not YAML"),
        ("[" * 500, "is not YAML"),
    ],
)
def test_a_bad_file_is_refused_in_one_line_that_names_it(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("search.top", "write it as section.key=value"),
        ("=3", "unknown setting ''"),
        ("search.tpo=3", "did you mean 'search.top'?"),
        ("top=3", "did you mean 'search.top'?"),
        ("search=3", "'search' is a section"),
        ("search.top=many", "search.top cannot be 'many'"),
        ("search.top=[", "the value cannot be read"),
        ("search.top=0", "search.top must be from 1"),
    ],
)
def test_a_bad_override_is_refused(override: str, said: str) -> None:
    with pytest.raises(ConfigError, match="--set") as caught:
        load_settings(None, [override])
    assert said in str(caught.value)


def test_files_that_cannot_be_a_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_settings(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="directory"):
        load_settings(tmp_path)
    big = tmp_path / "big.yaml"
    big.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ConfigError, match="larger than"):
        load_settings(big)
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(ConfigError, match="is not YAML"):
        load_settings(binary)


@dataclass(frozen=True)
class Inner:
    scales: tuple[str, ...] = ("I", "J")
    lr: float = 1e-3


@dataclass(frozen=True)
class Outer:
    data: Path
    inner: Inner = field(default_factory=Inner)


def test_any_dataclass_can_be_loaded(tmp_path: Path) -> None:
    path = write(tmp_path, "data: some/where\ninner: {lr: 5e-4, scales: [P, B]}\n")
    assert load_config(Outer, path) == Outer(Path("some/where"), Inner(("P", "B"), 5e-4))
    assert load_config(Outer, None, ["data=a: b", "inner.scales=[J]"]) == Outer(Path("a: b"), Inner(("J",)))
    with pytest.raises(ConfigError, match="'data' must be given"):
        load_config(Outer)


@pytest.mark.parametrize("path", sorted((ROOT / "configs" / "train").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_training_configurations_can_be_loaded(path: Path) -> None:
    kind: type[TrainConfig] | type[RgbConfig] = RgbConfig if path.stem == "rgb" else TrainConfig
    assert load_config(kind, path, ["encoder.hidden=64"]).encoder.hidden == 64
    with pytest.raises(ConfigError, match=r"did you mean 'encoder\.hidden'"):
        load_config(kind, path, ["hiden=64"])
    with pytest.raises(ConfigError, match=r"--set: .*hidden"):
        load_config(kind, path, ["encoder.hidden=0"])


def test_loads_nothing_heavy() -> None:
    code = (
        "import sys, pipeline, pipeline.config as c; c.load_settings();"
        "print([m for m in ('torch', 'mediapipe', 'faiss', 'cv2', 'av', 'matplotlib', 'scipy') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_what_ships_is_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings("configs/default.yaml") == Settings()
    with pytest.raises(ConfigError, match=r"cannot read the configuration configs/other\.yaml"):
        load_settings("configs/other.yaml")
    with pytest.raises(ConfigError, match="cannot read the configuration"):
        load_settings("configs/../configs/default.yaml")
    here = tmp_path / "configs" / "default.yaml"
    here.parent.mkdir()
    here.write_text("search: {top: 2}\n")
    assert load_settings("configs/default.yaml").search.top == 2
