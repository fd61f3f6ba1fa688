"""Protocols, and the figures of a hand-made case."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.evaluate import Protocol, _line, load_protocol, table
from pipeline.naming import Named
from pipeline.population import Take
from smsge.layouts import CASIA14
from smsge.sequence import SkeletonSequence


def sequence(person: str, clip: str) -> SkeletonSequence:
    return SkeletonSequence(np.zeros((1, 14, 3), np.float32), CASIA14, 15.0, identity=person, session=clip)


def test_tracks_are_counted_one_by_one_and_clips_by_the_sum_of_their_tracks():
    gallery = [sequence("ann", "g1"), sequence("ben", "g2")]
    g = np.eye(2)
    probes = [sequence("ann", "c1"), sequence("ann", "c1"), sequence("ben", "c2")]
    p = np.array([[1.0, 0.1], [0.4, 0.5], [1.0, 0.9]])  # right, wrong by a little, wrong
    takes = [Take("ann", Path("c1")), Take("ben", Path("c2")), Take("ben", Path("c3"))]
    line = _line("set", "made up", g, p, gallery, probes, takes)
    assert line.rank1 == pytest.approx(1 / 3)
    assert line.clip_rank1 == pytest.approx(1 / 3)  # c1 right; c2 wrong; c3 has no usable track, a miss
    assert (line.tracks, line.clips) == (3, 3)
    assert line.interval == (0, 0.5)  # where ben is drawn twice, and where ann is
    assert line.identified == {0.01: 1 / 3, 0.1: 1 / 3}  # only ann's first track is nearer than a stranger's


def test_the_table_is_markdown_with_a_dash_for_what_cannot_be_said():
    gallery, probes = [sequence("ann", "g1")], [sequence("ann", "c1")]
    line = _line("set", "made up", np.eye(1, 2), np.ones((1, 2)), gallery, probes, [Take("ann", Path("c1"))])
    assert math.isnan(line.interval[0])
    other = replace(line, interval=(0.25, 0.75), false_accepts=0.0, true_accepts=0.5, named=Named(0.5, 0.25, 0.1))
    shown = table(Protocol("a title", [], {}), [line, other])
    assert shown.splitlines() == [
        "a title",
        "",
        "| probes | descriptor | Rank-1 of tracks | 95 % interval | mAP | Rank-1 of clips "
        "| DIR at 1, 10 % false alarms | false, true accepts | named right, wrong; strangers |",
        "|---|---|---|---|---|---|---|---|---|",
        "| set | made up | 100.0 (1) | – | 100.0 | 100.0 (1) | – |  |  |",
        "| set | made up | 100.0 (1) | 25.0 to 75.0 | 100.0 | 100.0 (1) | – | 0.0, 50.0 | 50.0, 25.0; 10.0 |",
    ]


def test_a_protocol_names_people_clips_and_tracks(tmp_path: Path):
    path = tmp_path / "p.yaml"
    path.write_text("enrol: {ann: [a.mp4]}\nprobes: {later: {ann: [{clip: b.mp4, tracks: [2]}]}}\n")
    protocol = load_protocol(path, Path("root"))
    assert protocol.enrol == [Take("ann", Path("root/a.mp4"))]
    assert protocol.probes == {"later": [Take("ann", Path("root/b.mp4"), (2,))]}


@pytest.mark.parametrize("text", ["", "enrol: {}", "probes: 3", "[1]", "a: b: c", "enrol: {ann: [{}]}\nprobes: {}"])
def test_what_is_no_protocol_is_refused_in_one_line(tmp_path: Path, text: str):
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="is not a protocol") as caught:
        load_protocol(path, Path())
    assert "\n" not in str(caught.value)


def test_the_protocols_here_can_be_read():
    folder = Path(__file__).parents[2] / "configs" / "evaluate"
    paths = sorted(folder.glob("*.yaml"))
    assert paths
    for path in paths:
        assert load_protocol(path, Path()).enrol
