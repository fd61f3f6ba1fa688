"""Whose each template is, against dictionaries."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline import owners
from pipeline.owners import Owners

GALLERIES = st.dictionaries(st.integers(1, 200), st.integers(1, 12), max_size=40)


def of(held: dict[int, int]) -> Owners:
    ids = sorted(held)
    return Owners(np.array(ids, np.int64), np.array([held[number] for number in ids], np.int64))


def templates(held: dict[int, int], person: int) -> list[int]:
    return sorted(number for number, owner in held.items() if owner == person)


@pytest.fixture(autouse=True, params=[0, 4])
def sparse(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a table by id and without."""
    monkeypatch.setattr(owners, "SPARSE", request.param)


@example(held={1: 7, 3: 5}, before={}, asked=[-1, 0, 1, 2, 3, 4, 300])
@given(held=GALLERIES, before=GALLERIES, asked=st.lists(st.integers(-1, 300)))
def test_they_say_what_dictionaries_say(held: dict[int, int], before: dict[int, int], asked: list[int]) -> None:
    told, ids = of(held), np.array(asked, np.int64)
    assert told.of(ids).tolist() == [held.get(number, -1) for number in asked]
    assert told.lacks(ids).tolist() == [number not in held for number in asked]
    assert (len(told), told.newest) == (len(held), max(held, default=0))
    people = sorted(set(held.values()))
    assert told.persons == len(people)
    assert [told.count[person] for person in people] == [len(templates(held, person)) for person in people]
    if people:
        found = told.templates(np.array(people[::-1]))
        assert found.tolist() == [number for person in people[::-1] for number in templates(held, person)]
    most = sorted((len(templates(held, person)) for person in people), reverse=True)
    assert [told.largest(count) for count in range(5)] == [sum(most[:count]) for count in range(5)]
    everybody = set(held.values()) | set(before.values())
    changed = [person for person in everybody if templates(held, person) != templates(before, person)]
    assert told.changed(of(before)) == len(changed)
