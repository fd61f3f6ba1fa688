"""Whose each template of a gallery is, as arrays: a million rows are read, looked up and compared without a loop."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipeline.database import Database

SPARSE = 4
"""Numbers for each template up to which a table by id is kept."""


@dataclass(frozen=True, eq=False)
class Owners:
    """ids (N,) int64 of templates, rising, from 1; people (N,) int64, the person of each."""

    ids: np.ndarray
    people: np.ndarray

    @classmethod
    def none(cls) -> "Owners":
        """Those of an empty gallery."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64))

    @classmethod
    def read(cls, database: Database) -> "Owners":
        """Those of a gallery as it is now."""
        # As two texts, which SQLite joins and NumPy parses: a row at a time in Python takes three times as long.
        ordered = "SELECT id, person FROM templates ORDER BY person, id"  # as the table's own index has them
        ((ids, people),) = database.rows(f"SELECT group_concat(id), group_concat(person) FROM ({ordered})")
        if ids is None:
            return cls.none()
        rows, persons = (np.fromstring(text, np.int64, sep=",") for text in (ids, people))
        order = np.argsort(rows)
        return cls(rows[order], persons[order])

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def newest(self) -> int:
        """The greatest id, 0 where there is none."""
        return int(self.ids[-1]) if len(self.ids) else 0

    @cached_property
    def _table(self) -> np.ndarray | None:
        """The person of every id up to the newest, -1 where it is not here; then -1. None where mostly -1."""
        if self.newest > SPARSE * (1 + len(self.ids)):
            return None
        table = np.full(self.newest + 2, -1, np.int64)
        table[self.ids] = self.people
        return table

    def of(self, ids: np.ndarray) -> np.ndarray:
        """The person of each of these templates (n,), -1 for one that is not here, as -1 never is."""
        if self._table is not None:
            return np.asarray(self._table[np.minimum(ids, len(self._table) - 1)])
        places = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where(self.ids[places] == ids, self.people[places], -1)

    def lacks(self, ids: np.ndarray) -> np.ndarray:
        """(n,) bool: which of these templates are not here."""
        return self.of(ids) < 0

    @cached_property
    def _by_person(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Persons, rising; where the templates of each begin in the third array, and an end; ids by person."""
        order = np.argsort(self.people, kind="stable")
        persons, starts = np.unique(self.people[order], return_index=True)
        return persons, np.append(starts, len(order)), self.ids[order]

    @property
    def persons(self) -> int:
        """How many people there are."""
        return len(self._by_person[0])

    def all_among(self, people: Collection[int]) -> bool:
        """Whether all templates are of these people."""
        return set(self._by_person[0].tolist()) <= set(people)

    @cached_property
    def count(self) -> dict[int, int]:
        """How many templates each person has."""
        persons, starts, _ = self._by_person
        return dict(zip(persons.tolist(), np.diff(starts).tolist(), strict=True))

    def templates(self, people: np.ndarray) -> np.ndarray:
        """The ids of the templates of these people (n,), who are here: those of the first, of the second …"""
        persons, starts, ids = self._by_person
        places = np.searchsorted(persons, people)
        return np.concatenate([ids[starts[place] : starts[place + 1]] for place in places.tolist()])

    @cached_property
    def _most(self) -> list[int]:
        """How many templates nobody has, the person with the most, those two with the most, and so on."""
        return [0, *np.cumsum(np.sort(np.diff(self._by_person[1]))[::-1]).tolist()]

    @property
    def several(self) -> bool:
        """Whether anybody has more than one template."""
        return self.largest(1) > 1

    def largest(self, count: int) -> int:
        """How many templates the `count` people with the most have between them."""
        return self._most[min(count, self.persons)]

    def changed(self, since: "Owners") -> int:
        """How many people have come, gone or other templates than they had."""
        was, now = since.of(self.ids), self.of(since.ids)
        here, there = was != self.people, now != since.people
        return len(np.unique(np.concatenate([self.people[here], since.people[there]])))
