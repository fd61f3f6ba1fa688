"""What can be used is used, and a refusal names the reason, the figure and what is needed."""

from dataclasses import replace

import numpy as np
import pytest
from stick_people import Stick, walk

from pipeline.quality import Refusal, assess, measure
from pipeline.settings import QualitySettings
from pipeline.values import PoseTrack

SETTINGS = QualitySettings()
TIMES = np.arange(0, 3, 0.04)


def reason(track: PoseTrack) -> str:
    quality = assess(track, SETTINGS)
    assert quality.refusal is not None
    assert quality.score == 0
    assert "\n" not in str(quality.refusal)
    return str(quality.refusal)


@pytest.mark.parametrize("heading", [0.0, np.pi / 2, 2.5])
@pytest.mark.parametrize("fps", [10, 25, 60])
def test_a_walker_can_be_used_from_every_side(heading: float, fps: int) -> None:
    quality = assess(walk(Stick(), np.arange(0, 3, 1 / fps), heading, noise=0.01), SETTINGS)
    assert quality.refusal is None
    assert 0.5 < quality.score <= 1


def test_too_short() -> None:
    assert reason(walk(Stick(), np.arange(0, 1, 0.04))).startswith("too short: 1.0 s long, 1.3 s are needed")
    assert reason(walk(Stick(), np.array([0.5]))).startswith("too short: 0.0 s")


def test_too_small() -> None:
    message = reason(walk(Stick(), TIMES, scale=20))
    assert message.startswith("too small: 3")
    assert message.endswith(" px tall, 45 px are needed")


@pytest.mark.parametrize("scale", [40, 80, 200])
def test_too_still_whatever_the_resolution(scale: float) -> None:
    standing = Stick(swing=0.03)
    track = walk(standing, TIMES, noise=0.01, scale=scale)
    assert reason(replace(track, frame_size=(4000, 4000))).startswith("too still")


def test_one_lunge_is_too_still() -> None:
    assert "step" in reason(walk(Stick(cadence=0.12), TIMES))
    assert str(Refusal("too still", 1, 2, "steps", "seen")) == "too still: 1 step seen, 2 steps are needed"


def test_badly_seen() -> None:
    track = walk(Stick(), TIMES)
    message = reason(replace(track, visibility=track.visibility * 0.4))
    assert message == "badly seen: 36 % visible on average, 50 % are needed"


def test_feet_below_the_picture_are_badly_seen() -> None:
    track = walk(Stick(), TIMES)
    cut = replace(track, frame_size=(1280, int(track.image[:, 27:29, 1].min()) - 3))
    assert reason(cut) == "badly seen: 0.0 s with shoulders, hips and feet in view, 1.3 s are needed"


def test_more_of_everything_scores_higher() -> None:
    base = walk(Stick(), TIMES, scale=40)

    def score(track: PoseTrack) -> float:
        return assess(track, SETTINGS).score

    assert score(walk(Stick(), TIMES, scale=80)) > score(base)
    assert score(walk(Stick(), np.arange(0, 4, 0.04), scale=40)) > score(base)
    assert score(replace(base, visibility=base.visibility * 0.8)) < score(base)
    gappy = np.random.default_rng(0).random(len(TIMES)) > 0.3
    names = ("times", "frames", "boxes", "image", "world", "visibility")
    assert score(replace(base, **{name: getattr(base, name)[gappy] for name in names})) < score(base)


def test_gaps_count_by_time_and_not_by_frames() -> None:
    track = walk(Stick(), np.concatenate([np.arange(0, 1, 0.04), np.arange(1.8, 2.8, 0.04)]))
    figures = measure(track, 0.4)
    assert figures.duration == pytest.approx(2.76)
    assert figures.seconds == pytest.approx(0.96)
    assert figures.total == pytest.approx(1.92)
    assert figures.seen == pytest.approx(50 / 70)
    assert measure(track, 1.5).seconds == pytest.approx(2.76)


def test_the_time_for_which_somebody_was_gone_is_not_held_against_them() -> None:
    figures = measure(walk(Stick(), np.concatenate([np.arange(0, 1, 0.04), np.arange(6, 7, 0.04)])), 0.4)
    assert figures.duration == pytest.approx(6.96)
    assert figures.seen == 1


def test_a_figure_just_below_the_limit_does_not_look_like_it() -> None:
    assert str(Refusal("too small", 44.96, 45.0, "px", "tall")) == "too small: 44.96 px tall, 45.00 px are needed"
    assert str(Refusal("too small", 31.2, 45.0, "px", "tall")) == "too small: 31 px tall, 45 px are needed"


@pytest.mark.parametrize("least", [0.0, 1.0, 199.0, 200.0, 201.0])
def test_the_settings_may_ask_for_nothing_or_for_everything(least: float) -> None:
    quality = assess(walk(Stick(), TIMES, scale=250), replace(SETTINGS, min_height=least))
    assert quality.refusal is None
    assert 0.5 < quality.score <= 1
