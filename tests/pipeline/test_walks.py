"""Both ways of a track."""

from dataclasses import replace

import numpy as np
from tiny_encoder import walk

from pipeline.lift import Lift
from pipeline.normalize import made_canonical
from pipeline.walks import Walks


def test_tracks_are_given_and_lifted_in_one_order_and_stay_whose_they_are() -> None:
    lift = Lift(((np.zeros((42, 42)), np.random.default_rng(0).normal(0, 0.05, 42)),))
    seen = [
        replace(walk(seed), identity=name, session=f"{name}/{seed}") for seed, name in enumerate(("ann", "ben", "ann"))
    ]
    walks = Walks.of(seen, lift)
    assert len(walks) == 3
    assert walks.people.tolist() == ["ann", "ben", "ann"]
    assert walks.clips.tolist() == ["ann/0", "ben/1", "ann/2"]
    for one, given, lifted in zip(seen, walks.given, walks.lifted, strict=True):
        np.testing.assert_array_equal(given.joints, made_canonical(one, Lift()).joints)
        np.testing.assert_array_equal(lifted.joints, made_canonical(one, lift).joints)
        assert np.abs(given.joints - lifted.joints).max() > 1e-3
        assert given.identity == lifted.identity == one.identity


def test_some_of_them_keep_both_ways_together() -> None:
    walks = Walks.of([replace(walk(seed), identity=str(seed)) for seed in range(4)], Lift())
    some = walks.only([3, 1])
    assert some.people.tolist() == ["3", "1"]
    assert [some.given[0], some.lifted[1]] == [walks.given[3], walks.lifted[1]]
    assert len(walks.only(range(0))) == 0
