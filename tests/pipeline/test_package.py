"""`import pipeline` is light and gives functions, whatever modules of the same name are loaded."""

import subprocess
import sys
from pathlib import Path

import pytest

import pipeline
from pipeline.errors import CheckpointError, WrongEncoderError
from pipeline.opening import open_gallery

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "mediapipe", "faiss", "cv2", "av", "matplotlib", "scipy", "sqlite3", "rich", "pydantic")


def ask(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_importing_it_loads_nothing_heavy() -> None:
    assert ask(f"import sys, pipeline; print([name for name in {HEAVY} if name in sys.modules])") == "[]"


def test_names_stay_functions_when_their_modules_are_loaded() -> None:
    code = (
        "import pipeline; from pipeline.sources import expand; import pipeline.documents;"
        "import importlib; module = importlib.import_module('pipeline.search');"
        "assert pipeline.search is module.search and pipeline.search is pipeline.search;"
        "from pipeline import search; assert search is module.search;"
        "assert pipeline.documents.save_json; print('well')"
    )
    assert ask(code) == "well"


def test_everything_promised_is_there() -> None:
    for name in pipeline.__all__:
        assert getattr(pipeline, name).__name__ == name
    assert set(pipeline.__all__) <= set(dir(pipeline))
    with pytest.raises(AttributeError, match="has no attribute 'find'"):
        pipeline.find  # noqa: B018


def test_a_gallery_is_opened_for_the_encoder_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scripted import ShoulderEncoder

    class Other(ShoulderEncoder):
        fingerprint = "e" * 64

    monkeypatch.setenv("REID_GALLERY", str(tmp_path / "mine.db"))
    with open_gallery(embedder=ShoulderEncoder()) as gallery:
        assert gallery.path == tmp_path / "mine.db"
    with pytest.raises(WrongEncoderError):
        open_gallery(tmp_path / "mine.db", embedder=Other())
    with pytest.raises(CheckpointError):
        open_gallery(settings=pipeline.load_settings(None, ["encoder.weights=no-such"]))
