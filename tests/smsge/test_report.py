import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from tables import NOISE, table

from smsge.report import document, save_csv, slug, text, title

TABLE = table([f"{i:03d}" for i in range(1, 31)], split="KGBD: last walk")


def test_the_text_is_in_per_cent_with_one_decimal() -> None:
    headings, rows = text(TABLE)
    assert headings == ("method", "size", "Rank-1", "from", "to", "Rank-5", "mAP", "EER", "TAR @ 1 % FAR")
    assert [row[0] for row in rows] == list(NOISE)
    last = TABLE.rows[-1]
    shares = (last.retrieval.rank[1], *last.interval, last.retrieval.rank[5], last.retrieval.mean_ap)
    shares = (*shares, last.verification.eer, last.verification.tar)
    assert rows[-1] == (list(NOISE)[-1], "24", *(f"{100 * share:.1f}" for share in shares))


def test_the_title_says_what_was_compared_and_how_many() -> None:
    line = title(replace(TABLE, probes=2345))
    assert line == "KGBD: last walk · direct matching of clips · 2,345 probes, 90 gallery entries, 30 people"
    row = replace(TABLE.rows[0], retrieval=replace(TABLE.rows[0].retrieval, absent=7))
    assert "7 probes are of people who are not there" in title(replace(TABLE, rows=(row,)))


def test_the_classifier_has_columns_of_its_own() -> None:
    rows = tuple(replace(row, nauc=0.875) for row in TABLE.rows)
    taught = replace(TABLE, protocol="classifier", rows=rows)
    headings, lines = text(taught)
    assert headings == ("method", "size", "Rank-1", "from", "to", "nAUC")
    assert {line[-1] for line in lines} == {"87.5"}
    assert "classifier of clips · 90 probes, 90 training clips" in title(taught)
    assert {row["nauc"] for row in document([taught])[0]["methods"]} == {0.875}


def test_json_has_stable_keys_and_shares() -> None:
    (told,) = json.loads(json.dumps(document([TABLE]), allow_nan=False))
    assert list(told) == ["split", "protocol", "level", "probes", "gallery", "people", "methods"]
    (*_, last) = told["methods"]
    assert list(last) == [
        *("method", "size", "rank1", "rank1_from", "rank1_to", "rank5", "rank10", "map", "eer", "tar", "threshold"),
        *("nauc", "absent", "cmc"),
    ]
    assert last["rank1"] == TABLE.rows[-1].retrieval.rank[1] == last["cmc"][0] <= 1
    assert 0 <= last["rank1_from"] <= last["rank1"] <= last["rank1_to"] <= 1
    assert last["nauc"] is None
    assert len(last["cmc"]) == 20


def test_what_is_not_known_is_null_empty_and_a_dash(tmp_path: Path) -> None:
    row = TABLE.rows[0]
    bare = replace(TABLE, rows=(replace(row, verification=replace(row.verification, eer=float("nan"))),))
    assert document([bare])[0]["methods"][0]["eer"] is None
    assert text(bare)[1][0][7] == "–"
    save_csv([bare], tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert line["eer"] == ""


def test_csv_has_a_line_for_every_method_of_every_table(tmp_path: Path) -> None:
    path = tmp_path / "new" / "tables.csv"
    save_csv([TABLE, replace(TABLE, level="track")], path)
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == [
        *("split", "protocol", "level", "method", "size", "probes", "gallery", "people"),
        *("rank1", "rank1_from", "rank1_to", "rank5", "rank10", "map", "eer", "tar", "threshold", "nauc"),
    ]
    assert [(line["level"], line["method"]) for line in lines] == [
        (level, name) for level in ("clip", "track") for name in NOISE
    ]
    assert float(lines[4]["map"]) == pytest.approx(TABLE.rows[4].retrieval.mean_ap, rel=1e-5)
    assert lines[0]["probes"] == "90"


def test_a_second_csv_takes_the_place_of_the_first_and_leaves_the_rest(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for tables in ([TABLE, TABLE], [TABLE]):
        save_csv(tables, tmp_path / "tables.csv")
    assert len((tmp_path / "tables.csv").read_text().splitlines()) == 1 + len(NOISE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "tables.csv"]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("KS20 cross-view 1 → 2", "ks20-cross-view-1-2"),
        ("../../etc/passwd", "etc-passwd"),
        ("Ärger\0/…", "rger"),
        ("→", "split"),
        ("x" * 300, "x" * 80),
    ],
)
def test_names_of_files(name: str, safe: str) -> None:
    assert slug(name) == safe
