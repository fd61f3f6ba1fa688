"""How many threads a process takes for its own."""

import pytest

from pipeline.cores import share_of_cores, usable_cores


@pytest.mark.parametrize(
    ("told", "share"), [("3", 3), ("4,2", 4), ("0", None), ("", None), ("all", None), ("-1", None)]
)
def test_the_share_is_what_is_told_or_all_cores(monkeypatch: pytest.MonkeyPatch, told: str, share: int | None) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    assert share_of_cores() == (share or usable_cores())


def test_alone_a_process_has_all_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert share_of_cores() == usable_cores() >= 1
