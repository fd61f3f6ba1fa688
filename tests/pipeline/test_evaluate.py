"""Protocols, and the figures of a hand-made case."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.evaluate import _line, load_protocol
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
