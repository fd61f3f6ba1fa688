"""Stands come when they are asked for, last as long, and fall where both feet are on the ground."""

import numpy as np
import pytest

from pipeline.synthetic.pace import Pace, first_phase, keep_pace

CADENCE = 120.0  # one cycle a second
EVEN = np.arange(0.0, 12.0, 0.01)


def test_without_stands_nothing_changes() -> None:
    phase, swing = keep_pace(Pace(), EVEN, CADENCE)
    np.testing.assert_allclose(phase, EVEN, atol=1e-9)
    assert (swing == 1.0).all()


def test_a_stand_holds_the_phase_for_as_long_as_it_says() -> None:
    phase, swing = keep_pace(Pace(stands=((3.0, 2.0),)), EVEN, CADENCE)
    still = np.diff(phase) < 1e-9
    assert still.sum() * 0.01 == pytest.approx(2.0, abs=0.03)
    assert swing[:-1][still].max() < 1e-6
    assert np.mod(phase[:-1][still], 0.5) == pytest.approx(0.06, abs=1e-6)
    assert 3.0 < EVEN[:-1][still][0] < 4.5
    assert (np.diff(phase) >= 0.0).all()
    assert swing[0] == 1.0
    assert swing[-1] == 1.0


def test_stands_too_close_to_each_other_are_walked_apart() -> None:
    _, swing = keep_pace(Pace(stands=((2.0, 0.5), (2.2, 0.5))), EVEN, CADENCE)
    still = np.flatnonzero(swing < 1e-6)
    assert (np.diff(still) > 1).sum() == 1
    assert swing[still[0] : still[-1]].max() == pytest.approx(1.0, abs=0.01)


def test_who_sets_out_from_standing_begins_on_both_feet() -> None:
    pace = Pace(start=1.5)
    first = first_phase(pace, 0.3)
    assert first == pytest.approx(0.56)
    phase, swing = keep_pace(pace, first + EVEN, CADENCE)
    np.testing.assert_allclose(phase[:149], first, atol=1e-9)
    assert swing[0] == 0.0
    assert first_phase(Pace(), 0.3) == 0.3
