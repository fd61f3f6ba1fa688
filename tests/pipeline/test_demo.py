"""How the demo judges what was found against the truth, on answers written by hand."""

from pathlib import Path

import pytest

from pipeline.answers import Match, Ranked, SearchResult
from pipeline.demo import judge, read_answers
from pipeline.errors import UserError

ENROLLED = ("Anna", "Ben", "Cleo")
ANSWERS = {
    "clip_1.mp4": ("Anna",),
    "clip_2.mp4": ("Ben",),
    "clip_3.mp4": ("Cleo",),
    "crossing.mp4": ("Anna", "Ben"),
    "nobody.mp4": (),
    "stranger.mp4": ("Zoe",),
}


def _match(track: int, *ranked: tuple[str, float], threshold: float = 0.5, quality: float = 0.9) -> Match:
    candidates = tuple(Ranked(rank, name, similarity) for rank, (name, similarity) in enumerate(ranked, 1))
    best = candidates[0] if candidates else None
    found = best is not None and best.similarity >= threshold
    return Match(
        track=track,
        start=0.0,
        end=3.0,
        frames=75,
        quality=quality,
        decision="refused" if best is None else "match" if found else "unknown",
        reason="too short" if best is None else None,
        name=best.name if best is not None and found else None,
        similarity=None if best is None else best.similarity,
        candidates=candidates,
        box=(0.0, 0.0, 10.0, 20.0),
    )


def _result(clip: str, *matches: Match) -> SearchResult:
    return SearchResult(f"samples/search/{clip}", "plain", 0.5, matches)


def test_counts_and_verdicts() -> None:
    results = [
        _result("clip_1.mp4", _match(1, ("Anna", 0.9), ("Ben", 0.1))),
        _result("clip_2.mp4", _match(1, ("Ben", 0.4), ("Anna", 0.3))),  # first, but not above the threshold
        _result("clip_3.mp4", _match(1, ("Anna", 0.7)), _match(2, ("Cleo", 0.8), quality=0.2)),  # best seen
        _result("crossing.mp4", _match(1, ("Ben", 0.8)), _match(2, ("Cleo", 0.8)), _match(3)),
        _result("nobody.mp4"),
        _result("stranger.mp4", _match(1, ("Ben", 0.2))),
    ]
    result = judge(results, ANSWERS, ENROLLED)
    assert (result.known, result.found, result.matched) == (3, 2, 1)
    assert (result.strangers, result.stayed_unknown) == (1, 1)
    verdicts = ["right", "missed", "wrong", "right", "right", "wrong", None, "right", "right"]
    assert [row.verdict for row in result.rows] == verdicts
    assert "2 of 3 people found at rank 1, 1 of them above the threshold; 1 of 1 strangers" in result.summary()[0]
    assert result.table().row_count == 9


def test_a_stranger_who_is_taken_for_somebody_or_not_seen_did_not_stay_unknown() -> None:
    taken = judge([_result("stranger.mp4", _match(1, ("Ben", 0.9)))], ANSWERS, ENROLLED)
    assert (taken.stayed_unknown, taken.rows[0].verdict) == (0, "wrong")
    unseen = judge([_result("stranger.mp4", _match(1))], ANSWERS, ENROLLED)
    assert unseen.stayed_unknown == 0


def test_somebody_found_where_nobody_is_wrong() -> None:
    result = judge([_result("nobody.mp4", _match(1, ("Ben", 0.2)), _match(2))], ANSWERS, ENROLLED)
    assert [row.verdict for row in result.rows] == ["wrong", "right"]


def test_answers_are_checked(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"answers\.yaml"):
        read_answers(tmp_path)
    (tmp_path / "answers.yaml").write_text("- just\n- a list\n")
    with pytest.raises(UserError, match="must say who"):
        read_answers(tmp_path)
    (tmp_path / "answers.yaml").write_text("clips: {}\n")
    with pytest.raises(UserError, match="names no clip"):
        read_answers(tmp_path)
    clips = "people/Anna/loop.mp4: [Anna]\n  search/a.mp4: [Anna]\n  search/b.mp4: [Anna, Ben]\n  search/c.mp4: []\n"
    (tmp_path / "answers.yaml").write_text(f"seed: 1\nclips:\n  {clips}")
    with pytest.raises(UserError, match=r"search/a\.mp4"):
        read_answers(tmp_path)
    (tmp_path / "people").mkdir()
    (tmp_path / "search").mkdir()
    for clip in "abc":
        (tmp_path / "search" / f"{clip}.mp4").touch()
    assert read_answers(tmp_path) == {"a.mp4": ("Anna",), "b.mp4": ("Anna", "Ben"), "c.mp4": ()}
