"""`reid evaluate` as a researcher uses it: small datasets of each kind, a tiny encoder, and everything it writes."""

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from array_files import write_later
from matplotlib.image import imread
from stick_people import Stick
from stick_people import walk as stick_walk
from typer.testing import CliRunner, Result
from walking_figure import walk

import cli
import smsge.plots
import smsge.probe
from cli_research import Dataset
from pipeline.embed import load_embedder
from pipeline.lift import Lift
from pipeline.research import study
from pipeline.skeletons import Extraction, save_skeletons
from smsge.checkpoint import load_checkpoint, save_checkpoint
from smsge.config import EncoderConfig
from smsge.datasets import PROTOCOLS
from smsge.encoder import SMSGE
from smsge.errors import DatasetError
from smsge.evaluation import DISCRIMINANTS, evaluate
from smsge.layouts import KINECT20
from smsge.methods import encoder_method
from smsge.plots import PICTURES
from smsge.protocols import Reading, splits
from smsge.schedule import Schedule

METHODS = ["D13", "D16", "bone lengths", "posture statistics", "SM-SGE", DISCRIMINANTS]
PEOPLE = (1, 2, 3, 133, 134, 135)


def reid(*words: object) -> Result:
    return CliRunner().invoke(cli.app, ["evaluate", *map(str, words)])


def one_line(result: Result, *words: str) -> None:
    """Nothing was done, and one line on stderr says why."""
    assert result.exit_code == 2, result.output
    lines = [line for line in result.stderr.splitlines() if line.startswith("reid: ")]
    assert len(lines) == 1, result.stderr
    assert result.stdout == ""
    assert "fault of the program" not in lines[0]
    for word in words:
        assert word in lines[0]


@pytest.fixture(scope="module")
def kgbd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six people's walks, three each, as KGBD's archive holds them."""
    walks = {
        f"{person:03d}_{number}": (
            4000 * walk(KINECT20, 75, 30.0, size=0.9 + 0.04 * place, seed=10 * person + number)
        ).astype(np.int16)
        for place, person in enumerate(PEOPLE)
        for number in (1, 2, 3)
    }
    path = tmp_path_factory.mktemp("kgbd") / "kgbd.npz"
    np.savez(path, allow_pickle=False, **walks)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    encoder = SMSGE(EncoderConfig(layout="casia14", frames=6, hidden=8, heads=2, width=4))
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_checkpoint(path, encoder, metadata={"fps": 15.0, "form": "canonical"})
    return path


@pytest.fixture(scope="module")
def done(kgbd: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """One whole run: its folder, and what it answered."""
    out = tmp_path_factory.mktemp("results") / "new" / "folder"
    words = (kgbd, "--dataset", "kgbd", "--protocol", "last-walk", "--weights", weights, "--out", out, "--json")
    result = reid(*words)
    assert result.exit_code == 0, result.output
    return out, json.loads(result.stdout)


def test_json_says_what_was_evaluated_and_every_figure(done: tuple[Path, dict[str, Any]], weights: Path) -> None:
    out, told = done
    assert list(told) == [
        *("dataset", "protocol", "data", "weights", "fingerprint", "seed"),
        *("layout", "frames", "fps", "form", "tables", "files"),
    ]
    assert (told["layout"], told["frames"], told["fps"], told["form"]) == ("casia14", 6, 15.0, "canonical")
    assert told["fingerprint"] == load_checkpoint(weights).fingerprint
    assert [table["level"] for table in told["tables"]] == ["clip", "track"]
    for table in told["tables"]:
        assert [row["method"] for row in table["methods"]] == METHODS
        assert table["people"] == len(PEOPLE)
        for row in table["methods"]:
            assert all(0 <= row[key] <= 1 for key in ("rank1", "rank5", "rank10", "map", "eer", "tar"))
    assert (told["tables"][1]["probes"], told["tables"][1]["gallery"]) == (6, 12)
    assert sorted(told["files"]) == sorted(map(str, out.iterdir()))


def test_the_figures_are_those_of_the_evaluation(done: tuple[Path, dict[str, Any]], kgbd: Path, weights: Path) -> None:
    (split,) = splits("kgbd", kgbd, "last-walk", Reading("casia14", 6, 15.0))
    expected = evaluate(split, [encoder_method(load_checkpoint(weights))], "clip", 6)
    table = done[1]["tables"][0]
    assert (table["probes"], table["gallery"]) == (expected.probes, expected.gallery)
    for row, mine in zip(table["methods"], expected.rows, strict=True):
        assert row["rank1"] == mine.retrieval.rank[1]
        assert row["map"] == pytest.approx(mine.retrieval.mean_ap)
        assert row["threshold"] == pytest.approx(mine.verification.threshold)


def test_csv_holds_the_same_figures(done: tuple[Path, dict[str, Any]]) -> None:
    out, told = done
    with (out / "tables.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    rows = [(table["level"], row) for table in told["tables"] for row in table["methods"]]
    assert len(lines) == len(rows) == 12
    for line, (level, row) in zip(lines, rows, strict=True):
        assert (line["level"], line["method"]) == (level, row["method"])
        assert float(line["rank1"]) == pytest.approx(row["rank1"], abs=1e-5)


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("level", ["clip", "track"])
def test_every_picture_is_drawn(done: tuple[Path, dict[str, Any]], picture: str, level: str) -> None:
    height, width = imread(done[0] / f"last-walk-matching-{level}-{picture}.png").shape[:2]
    assert 500 <= width <= 1600
    assert 400 <= height <= 1300


def test_text_is_a_table_in_per_cent(kgbd: Path, weights: Path) -> None:
    words = (kgbd, "--dataset", "kgbd", "--protocol", "disjoint", "--weights", weights, "--level", "track")
    result = reid(*words)
    assert result.exit_code == 0, result.output
    assert "disjoint · direct matching of tracks · 3 probes, 6 gallery entries, 3 people · per cent" in result.stdout
    for heading in ("method", "size", "Rank-1", "from", "to", "Rank-5", "mAP", "EER", "TAR @ 1 % FAR"):
        assert heading in result.stdout
    (line,) = [line for line in result.stdout.splitlines() if "│ bone lengths" in line]
    assert "│  100.0 │" in line


def test_the_classifier_comes_beside(kgbd: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smsge.probe, "SCHEDULE", Schedule(epochs=2, batch=64, warmup=0))
    words = (kgbd, "--dataset", "kgbd", "--protocol", "last-walk", "--weights", weights, "--level", "clip")
    told = json.loads(reid(*words, "--classifier", "--json").stdout)
    assert [table["protocol"] for table in told["tables"]] == ["matching", "classifier"]
    assert all(0 <= row["nauc"] <= 1 for row in told["tables"][1]["methods"])


def test_nobody_to_learn_from_is_told(kgbd: Path, weights: Path) -> None:
    words = (kgbd, "--dataset", "kgbd", "--protocol", "disjoint", "--weights", weights, "--classifier")
    one_line(reid(*words), "disjoint", "trains on none of the people")


def test_every_walk_may_ask_once(kgbd: Path, weights: Path) -> None:
    words = (kgbd, "--dataset", "kgbd", "--protocol", "disjoint", "--weights", weights, "--level", "track")
    (table,) = json.loads(reid(*words, "--every-walk", "--json").stdout)["tables"]
    assert (table["split"], table["probes"], table["gallery"]) == ("disjoint, every walk once", 9, 9)
    one_line(reid(kgbd, "--dataset", "kgbd", "--protocol", "last-walk", "--weights", weights, "--every-walk"), "trains")


def test_arrays_are_read_at_their_own_rate_and_by_clip(tmp_path: Path, weights: Path) -> None:
    write_later(tmp_path / "IAS" / "6", "IAS", KINECT20, 6, ("A", "B"))
    words = (tmp_path, "--dataset", "ias", "--protocol", "A", "--weights", weights)
    result = reid(*words, "--json")
    told = json.loads(result.stdout)
    assert told["fps"] == 30.0
    assert [table["level"] for table in told["tables"]] == ["clip"]
    assert "30 frames a second, the encoder was trained at 15" in result.stderr
    one_line(reid(*words, "--level", "track"), "--level", "only clip")
    one_line(reid(*words, "--frames", 20), "no clips of 20 frames, only of 6")


def test_footage_is_a_folder_of_folders(tmp_path: Path, weights: Path) -> None:
    for who, size in (("ann", 0.95), ("bob", 1.05)):
        (tmp_path / who).mkdir()
        for day in ("day1", "day2"):
            track = stick_walk(Stick(size=size), np.arange(0, 4, 0.04), scale=80)
            kept = Extraction("clip.mp4", "", (1280, 480), 25.0, 4.0, 100, (track,))
            save_skeletons(tmp_path / who / f"{day}.npz", kept)
    small = replace(track, image=track.image / 10, boxes=track.boxes / 10)
    save_skeletons(tmp_path / "bob" / "far.npz", replace(kept, tracks=(small,)))
    words = (tmp_path, "--dataset", "footage", "--protocol", "last-session", "--weights", weights)
    result = reid(*words, "--json")
    assert result.exit_code == 0, result.output
    assert [table["probes"] for table in json.loads(result.stdout)["tables"]][1] == 2
    assert "far.npz: too small" in result.stderr


def test_footage_goes_through_the_lift_of_the_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Lift] = []

    def read(data: str, settings: object, frames: int, lift: Lift, progress: object) -> None:
        taken.append(lift)
        raise DatasetError("that is enough")

    monkeypatch.setattr("pipeline.research.read_footage", read)
    one_line(reid(tmp_path, "--dataset", "footage", "--protocol", "last-session"), "that is enough")
    assert len(taken) == 1
    assert taken[0].layers
    given = np.random.default_rng(0).normal(size=(4, 14, 3))
    np.testing.assert_array_equal(taken[0](given), load_embedder().lift(given))


FAILURES: list[tuple[Sequence[str], Sequence[str]]] = [
    (["--dataset", "kgdb"], ["kgdb", "kgbd", "casia-b"]),
    ([], ["--dataset", "ks20"]),
    (["--dataset", "kgbd"], ["last-walk, disjoint, open-gallery"]),
    (["--dataset", "casia-b", "--protocol", "N-N"], ["cross-view, cross-condition"]),
    (["--dataset", "kgbd", "--protocol", "last-walk", "--weights", "nowhere"], ["nowhere"]),
    (["--dataset", "kgbd", "--protocol", "last-walk", "--frames", "1"], ["--frames"]),
    (["--dataset", "kgbd", "--protocol", "last-walk", "--frames", "500"], ["500"]),
    (["--dataset", "kgbd", "--protocol", "last-walk", "--level", "frame"], ["--level", "track"]),
    (["--dataset", "ks20", "--protocol", "random"], ["no such folder"]),
]


@pytest.mark.parametrize(("words", "said"), FAILURES, ids=lambda value: " ".join(value))
def test_bad_usage_is_told_in_one_line(kgbd: Path, words: Sequence[str], said: Sequence[str]) -> None:
    one_line(reid(kgbd, *words), *said)


def test_a_folder_that_cannot_be_is_told_before_the_work(kgbd: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    # Were anything read before, it would be the weights that are not there.
    words = ("--dataset", "kgbd", "--protocol", "last-walk", "--weights", "nowhere", "--out", tmp_path / "file")
    one_line(reid(kgbd, *words), "file", "choose another place")


def test_a_missing_dataset_is_told(tmp_path: Path, weights: Path) -> None:
    words = ("--dataset", "kgbd", "--protocol", "disjoint", "--weights", weights)
    one_line(reid(tmp_path / "nowhere.npz", *words), "nowhere.npz")


def test_figures_are_told_even_where_pictures_cannot_be_kept(
    kgbd: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise DatasetError("cmc.png: cannot be written (No space left on device); choose another folder")

    monkeypatch.setattr(smsge.plots, "save_pictures", full)
    words = ("--dataset", "kgbd", "--protocol", "disjoint", "--weights", weights, "--level", "track")
    result = reid(kgbd, *words, "--out", tmp_path)
    assert result.exit_code == 1
    assert "No space left" in result.stderr
    assert "SM-SGE" in result.stdout


def test_what_lies_in_the_folder_is_left_alone_but_for_files_of_the_same_name(
    kgbd: Path, weights: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "tables.csv").write_text("old")
    result = study("kgbd", kgbd, "disjoint", weights=str(weights), levels=["track"])
    files = result.save(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert "bone lengths" in (tmp_path / "tables.csv").read_text()
    assert len(files) == 5
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", *(file.name for file in files)}


def test_the_command_knows_every_dataset_there_is() -> None:
    assert [each.value for each in Dataset] == list(PROTOCOLS)
