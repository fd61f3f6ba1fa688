"""Tables of an evaluation as text, as one JSON document and as one CSV file; `plots` draws them."""

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smsge.errors import DatasetError
from smsge.evaluation import Row, Table
from smsge.files import whole_file


@dataclass(frozen=True)
class Measure:
    """What is measured of a method.

    heading: above its column ("from" and "to" are of the interval of the figure before them); key: in JSON and CSV; of:
    a share in 0..1 (a threshold is a similarity), None where a row has none; shown_for: the protocols whose tables show
    it as text.
    """

    heading: str
    key: str
    of: Callable[[Row], float | None]
    shown_for: tuple[str, ...] = ()


def _rank(k: int) -> Callable[[Row], float]:
    return lambda row: row.retrieval.rank[k]


MEASURES = (
    Measure("Rank-1", "rank1", _rank(1), ("matching", "classifier")),
    Measure("from", "rank1_from", lambda row: row.interval[0], ("matching", "classifier")),
    Measure("to", "rank1_to", lambda row: row.interval[1], ("matching", "classifier")),
    Measure("Rank-5", "rank5", _rank(5), ("matching",)),
    Measure("Rank-10", "rank10", _rank(10)),
    Measure("mAP", "map", lambda row: row.retrieval.mean_ap, ("matching",)),
    Measure("EER", "eer", lambda row: row.verification.eer, ("matching",)),
    Measure("TAR @ 1 % FAR", "tar", lambda row: row.verification.tar, ("matching",)),
    Measure("threshold", "threshold", lambda row: row.verification.threshold),
    Measure("nAUC", "nauc", lambda row: row.nauc, ("classifier",)),
)
"""In the order of the columns."""

_TABLE = ("split", "protocol", "level")
_COUNTS = ("probes", "gallery", "people")


def title(table: Table) -> str:
    """One line: which split, what was compared, how many."""
    what = {"matching": "direct matching", "classifier": "classifier"}[table.protocol]
    unit = {"clip": "clips", "track": "tracks"}[table.level]
    entries = f"{table.gallery:,} {'gallery entries' if table.protocol == 'matching' else 'training clips'}"
    absent = max(row.retrieval.absent for row in table.rows)
    missing = f"; {absent:,} probes are of people who are not there to be found" if absent else ""
    return f"{table.split} · {what} of {unit} · {table.probes:,} probes, {entries}, {table.people:,} people{missing}"


def text(table: Table) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """(headings, rows of cells), in per cent with one decimal; what a row has not is a dash."""
    shown = [measure for measure in MEASURES if table.protocol in measure.shown_for]
    rows = [(row.method, str(row.size), *(_percent(measure.of(row)) for measure in shown)) for row in table.rows]
    return ("method", "size", *(measure.heading for measure in shown)), rows


def document(tables: Sequence[Table]) -> list[dict[str, Any]]:
    """What JSON says of each table: shares in 0..1, null where there is no such figure."""
    return [
        {
            **{key: getattr(table, key) for key in (*_TABLE, *_COUNTS)},
            "methods": [
                {
                    "method": row.method,
                    "size": row.size,
                    **{measure.key: _known(measure.of(row)) for measure in MEASURES},
                    "absent": row.retrieval.absent,
                    "cmc": [float(share) for share in row.retrieval.cmc],
                }
                for row in table.rows
            ],
        }
        for table in tables
    ]


def save_csv(tables: Sequence[Table], path: Path) -> None:
    """One line a method and table, shares in 0..1, empty where there is no such figure.

    Raises DatasetError where `path` cannot be written.
    """
    lines = io.StringIO(newline="")
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow((*_TABLE, "method", "size", *_COUNTS, *(measure.key for measure in MEASURES)))
    for table in tables:
        for row in table.rows:
            where, counts = ([getattr(table, key) for key in keys] for keys in (_TABLE, _COUNTS))
            shares = ["" if (value := _known(measure.of(row))) is None else f"{value:.6g}" for measure in MEASURES]
            writer.writerow((*where, row.method, row.size, *counts, *shares))
    write(path, lines.getvalue().encode())


def make_folder(folder: Path) -> Path:
    """The folder, made where it is not there. Raises DatasetError where it cannot be: to be asked before long work."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be a folder ({error.strerror}); choose another place") from error
    return folder


def write(path: Path, content: bytes) -> None:
    """`content` in place of whatever `path` was, whole or not at all. Raises DatasetError where it cannot be."""
    make_folder(path.parent)
    try:
        with whole_file(path) as file:
            file.write(content)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error


def slug(name: str) -> str:
    """A split's name as part of a file's: letters a-z, digits and single dashes, at most 80 of them."""
    words = "".join(character if character.isascii() and character.isalnum() else " " for character in name.lower())
    return "-".join(words.split())[:80].strip("-") or "split"


def _known(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _percent(value: float | None) -> str:
    return "–" if _known(value) is None else f"{100 * value:.1f}"  # type: ignore[operator]
