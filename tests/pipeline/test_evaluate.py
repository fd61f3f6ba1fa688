"""Protocols, and the figures of a hand-made case."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.evaluate import Protocol, _about_their_centre, _accepts, _as_they_are, _line, load_protocol, table
from pipeline.naming import Named
from pipeline.population import Take
from pipeline.walks import Walks
from smsge.centring import centre_of, centred
from smsge.layouts import CASIA14
from smsge.sequence import SkeletonSequence


def walks(*whose: tuple[str, str]) -> Walks:
    """Tracks of (person, clip)."""
    still = np.zeros((1, 14, 3), np.float32)
    tracks = [SkeletonSequence(still, CASIA14, 15.0, identity=person, session=clip) for person, clip in whose]
    return Walks(tracks, tracks)


def test_tracks_are_counted_one_by_one_and_clips_by_the_sum_of_their_tracks():
    gallery = walks(("ann", "g1"), ("ben", "g2"))
    g = np.eye(2)
    probes = walks(("ann", "c1"), ("ann", "c1"), ("ben", "c2"))
    p = np.array([[1.0, 0.1], [0.4, 0.5], [1.0, 0.9]])  # right, wrong by a little, wrong
    takes = [Take("ann", Path("c1")), Take("ben", Path("c2")), Take("ben", Path("c3"))]
    line = _line("set", "made up", _as_they_are(g, p), gallery, probes, takes)
    assert line.rank1 == pytest.approx(1 / 3)
    assert line.clip_rank1 == pytest.approx(1 / 3)  # c1 right; c2 wrong; c3 has no usable track, a miss
    assert (line.tracks, line.clips) == (3, 3)
    assert line.interval == (0, 0.5)  # where ben is drawn twice, and where ann is
    assert line.identified == {0.01: 1 / 3, 0.1: 1 / 3}  # only ann's first track is nearer than a stranger's


def test_whoever_asks_as_a_stranger_is_not_in_the_centre():
    generator = np.random.default_rng(5)
    names = ["ann", "ben", "eva", "tom"]
    gallery, probes = (walks(*((name, f"{clip}{name}") for name in names)) for clip in ("g", "c"))
    g = generator.normal(size=(4, 6))
    p = g + 0.7 * generator.normal(size=(4, 6))
    g, p = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (g, p))
    compare = _about_their_centre(g, p, np.array(names))
    scores, own = [], []
    for number, name in enumerate(names):
        left = np.array(names) != name
        centre = centre_of(g[left], np.array(names)[left])
        scores += (centred(p[number][None], centre) @ centred(g[left], centre).T)[0].tolist()
        centre = centre_of(g, names)
        own.append(float((centred(p[number][None], centre) @ centred(g[number][None], centre).T)[0, 0]))
    line = _line("set", "made up", compare, gallery, probes, [Take(name, Path(f"c{name}")) for name in names])
    for threshold in (-0.3, 0.0, 0.3, 0.6):
        found = _accepts(line, threshold, compare, gallery.people, probes.people)
        assert found.false_accepts == pytest.approx(np.mean(np.array(scores) >= threshold))
        assert found.true_accepts == pytest.approx(np.mean(np.array(own) >= threshold))
    alone = _about_their_centre(g[:1], p[:1], np.array(names[:1]))
    found = _accepts(line, 0.0, alone, gallery.people[:1], probes.people[:1])  # nobody to be taken for
    assert math.isnan(found.false_accepts or 0.0)
    assert found.true_accepts in (0.0, 1.0)


def test_a_track_is_as_near_as_its_person_whose_mean_may_be_nearest():
    ann, ben, cat = np.eye(3, dtype=np.float32)
    gallery = np.stack([(ann + ben) / 2**0.5, cat, (ann - ben) / 2**0.5])
    names = np.array(["ann", "cat", "ann"])
    told = _about_their_centre(gallery, ann[None], names)(np.ones(3, bool))[0]
    nearest = np.max(centred(gallery, centre_of(gallery, names)) @ centred(ann[None], centre_of(gallery, names))[0])
    assert told[0] == told[2] > nearest + 0.1
    assert told[1] < 0.1


def test_the_table_is_markdown_with_a_dash_for_what_cannot_be_said():
    gallery, probes = walks(("ann", "g1")), walks(("ann", "c1"))
    compare = _as_they_are(np.eye(1, 2), np.ones((1, 2)))
    line = _line("set", "made up", compare, gallery, probes, [Take("ann", Path("c1"))])
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
