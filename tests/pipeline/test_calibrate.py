"""The threshold and the standards, from made-up descriptors of known people."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline import normalize
from pipeline.calibrate import FAR, Described, calibrate, described, write_calibrated
from pipeline.embed import VERSION, TrackEmbedder
from pipeline.errors import DatasetError
from pipeline.lift import Lift
from pipeline.thresholds import Thresholds
from pipeline.walks import Walks
from smsge.centring import as_in_a_gallery
from smsge.checkpoint import Checkpoint, load_checkpoint
from smsge.config import EncoderConfig
from smsge.encoder import SMSGE
from smsge.fusion import fuse
from smsge.layouts import CASIA14
from smsge.matching import pair_scores
from smsge.sequence import SkeletonSequence


def made_up(people: int, clips: int = 4) -> Described:
    generator = np.random.default_rng(5)
    names = np.array([f"p{person:02d}" for person in range(people) for _ in range(clips)])
    sessions = np.array([f"{name}-{clip % clips}" for clip, name in enumerate(names)])
    raw = {
        part: np.repeat(generator.normal(size=(people, size)), clips, axis=0)
        + 0.5 * generator.normal(size=(people * clips, size))
        for part, size in (("encoder", 12), ("statistics", 20), ("statistics_seen", 20))
    }
    return Described(raw, names, sessions)


def test_a_quarter_of_the_people_is_held_out_whole() -> None:
    tracks = made_up(10)
    fitted, held = tracks.parted()
    assert sorted(set(held.people)) == ["p03", "p07"]
    assert set(fitted.people) | set(held.people) == set(tracks.people)
    assert len(fitted.people) == len(fitted.clips) == len(fitted.raw["statistics"]) == 32
    np.testing.assert_array_equal(held.raw["encoder"], tracks.raw["encoder"][np.isin(tracks.people, ["p03", "p07"])])
    assert set(held.clips) == {f"{name}-{clip}" for name in ("p03", "p07") for clip in range(4)}


def test_the_threshold_lets_the_chosen_share_of_strangers_pass() -> None:
    fitted, held = made_up(40).parted()
    done = calibrate(fitted, held)
    joined = fuse([done.standards[p](held.raw[p]) for p in done.weights], list(done.weights.values()))
    similarity = as_in_a_gallery(joined, held.people)
    genuine, impostor = pair_scores(similarity, held.people, held.people, held.clips, held.clips)
    assert (impostor >= done.threshold).mean() <= FAR + 0.002  # rounding to float32
    assert (impostor >= done.threshold).mean() > FAR / 2
    assert (genuine >= done.threshold).mean() == pytest.approx(done.report["joined true_accept_rate"], abs=0.02)
    assert (done.report["people"], done.report["fitted_people"]) == (10, 30)
    assert (done.report["tracks"], done.report["fitted_tracks"]) == (40, 120)


def test_thresholds_for_more_templates_come_with_it() -> None:
    done = calibrate(*made_up(60, 8).parted())
    assert done.thresholds.at(FAR) == pytest.approx(done.threshold, abs=1e-5)
    assert done.thresholds.templates == (1, 2, 4, 8)
    assert done.thresholds.at(FAR, 4) > done.threshold
    assert done.thresholds.people == 15
    few = calibrate(*made_up(8).parted())
    assert few.thresholds == Thresholds.single(few.threshold)


def test_nothing_is_fitted_to_the_people_of_the_threshold() -> None:
    fitted, held = made_up(40).parted()
    done = calibrate(fitted, held)
    other = calibrate(fitted, replace(held, raw={part: 9.0 + 0 * rows for part, rows in held.raw.items()}))
    shared = done.standards.keys() & other.standards.keys()
    assert "encoder" in shared
    for part in shared:
        np.testing.assert_array_equal(done.standards[part].project, other.standards[part].project)


@pytest.mark.parametrize("useful", ["statistics", "encoder"])
def test_what_tells_people_apart_weighs_more_and_the_encoder_always_counts(useful: str) -> None:
    fitted, held = made_up(24).parted()
    generator = np.random.default_rng(0)
    parts = [
        replace(part, raw={n: r if n == useful else generator.normal(size=r.shape) for n, r in part.raw.items()})
        for part in (fitted, held)
    ]
    done = calibrate(*parts)
    assert done.weights[useful] > 0.6
    assert done.weights["encoder"] > 0
    assert done.weights["statistics_seen"] == 0.2
    assert sum(done.weights.values()) == pytest.approx(1.0)


def test_what_the_view_does_to_a_descriptor_is_taken_off() -> None:
    generator = np.random.default_rng(3)
    tracks = made_up(160)
    views = generator.normal(size=(len(tracks.people), 2))
    seen = {name: rows + 6.0 * views @ generator.normal(size=(2, rows.shape[1])) for name, rows in tracks.raw.items()}
    blind = calibrate(*replace(tracks, raw=seen).parted())
    told = calibrate(*replace(tracks, raw=seen, views=views).parted())
    whose = replace(tracks, raw=seen).parted()[1]
    apart = [
        np.abs(
            np.corrcoef(
                done.standards["statistics"](whose.raw["statistics"]).T, views[np.isin(tracks.people, whose.people)].T
            )[:-2, -2:]
        ).mean()
        for done in (told, blind)
    ]
    assert apart[0] < apart[1]
    assert told.report["joined equal_error_rate"] <= blind.report["joined equal_error_rate"]


def test_descriptors_that_are_not_joined_are_only_reported() -> None:
    fitted, held = made_up(16).parted()
    more = [replace(part, raw=part.raw | {"bones": part.raw["statistics"][:, :3]}) for part in (fitted, held)]
    done = calibrate(*more)
    assert set(done.standards) == set(done.weights) <= {"encoder", "statistics", "statistics_seen"}
    assert done.threshold == calibrate(fitted, held).threshold
    assert {"bones rank1", "joined rank1", "encoder mean_ap", "statistics equal_error_rate"} <= set(done.report)
    assert done.report["joined rank1"] == 1.0


def test_too_few_people_are_refused() -> None:
    with pytest.raises(DatasetError, match="7 people with usable clips are too few"):
        made_up(7).parted()


def test_people_with_one_track_tell_nothing() -> None:
    with pytest.raises(DatasetError, match="cannot calibrate") as caught:
        calibrate(*made_up(12, clips=1).parted())
    assert "\n" not in str(caught.value)


def test_an_encoder_with_its_calibration_is_one_that_embeds(tmp_path: Path) -> None:
    torch.manual_seed(0)
    trained = Checkpoint(SMSGE(EncoderConfig(frames=8, hidden=4)).eval(), {}, {"step": 3}, "0" * 64)
    generator = np.random.default_rng(1)
    sequences = []
    for person in range(12):
        still = generator.normal(size=(1, 14, 3))
        for clip in range(3):
            joints = (still + 0.1 * generator.normal(size=(20, 14, 3))).astype(np.float32)
            sequences.append(
                SkeletonSequence(joints, CASIA14, 15.0, identity=f"p{person:02d}", session=f"p{person:02d}/{clip}")
            )
    with pytest.raises(DatasetError, match="nobody walks long enough"):
        described(trained, Walks([], []))
    walks = Walks(sequences, sequences)
    said: list[tuple[str, float, float | None]] = []
    tracks = described(trained, walks, progress=lambda *told: said.append(told))
    assert {name: len(rows) for name, rows in tracks.raw.items()} == dict.fromkeys(
        ("encoder", "statistics", "statistics_seen", "bones"), 36
    )
    assert (tracks.people[3], tracks.clips[4]) == ("p01", "p01/1")
    done = calibrate(*tracks.parted(), progress=lambda *told: said.append(told))
    assert {what for what, of, total in said if of == total} == {"describing tracks", "weighing descriptors"}
    assert [of for what, of, _ in said if what == "describing tracks"] == [32, 36]  # as it goes, not at the end
    lift = Lift(((np.ones((42, 42)), np.ones(42)),))
    path = write_calibrated(trained, done, tmp_path / "calibrated.safetensors", lift)
    read = load_checkpoint(path)
    assert [read.metadata[key] for key in ("step", "normalize", "descriptors")] == [3, normalize.VERSION, VERSION]
    assert read.metadata["calibration"]["people"] == 3
    embedder = TrackEmbedder(read, "calibrated")
    np.testing.assert_array_equal(embedder.lift.layers[0][0], lift.layers[0][0])
    assert embedder.threshold == pytest.approx(done.threshold, abs=1e-4)
    assert (embedder.weights, embedder.thresholds, embedder.fps) == (done.weights, done.thresholds, 15.0)
    expected = fuse([done.standards[p](tracks.raw[p]) for p in done.weights], list(done.weights.values()))
    vectors = embedder.join(embedder.describe(walks))
    np.testing.assert_allclose(vectors, expected, atol=0.02)  # the encoder is kept in 16 bits
