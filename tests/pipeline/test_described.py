"""What a document says, docs/json.md explains: every key by its name."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from pipeline.demo import DemoResult, Row
from pipeline.doctor import Check
from pipeline.pose_models import PoseModel
from pipeline.records import EncoderId, Imported, LogEntry, PersonDetail, PersonSummary, Stats, TemplateInfo
from pipeline.skeletons import _ROWS, Extraction
from pipeline.verify import VerifyResult

DOCS = Path(__file__).resolve().parents[2] / "docs"
JSON = (LogEntry, DemoResult, Row, Check, PoseModel, EncoderId, Imported, LogEntry, PersonDetail, PersonSummary, Stats,
        TemplateInfo, VerifyResult)  # fmt: skip


def _named(name: str) -> set[str]:
    return set(re.findall(r"[`.](\w+)`", (DOCS / name).read_text(encoding="utf-8")))


@pytest.mark.parametrize("value", JSON, ids=lambda value: value.__name__)
def test_every_key_of_a_document_is_described(value):
    assert {field.name for field in fields(value)} - _named("json.md") == set()


def test_every_part_of_a_file_of_skeletons_is_described():
    parts = {field.name for field in fields(Extraction)} - {"tracks"} | set(_ROWS) | {"meta"}
    assert parts - _named("skeletons.md") == set()
