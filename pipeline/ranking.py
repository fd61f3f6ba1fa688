"""Ranks the people of a gallery against probes: an index over the gallery's templates, kept in step with the file.

The index lives in memory only, so that nothing has to be forgotten from a second place. It holds the templates about
the gallery's centre (`smsge.centring`), which moves as people come and go and gain templates: then it is built afresh,
in a large gallery only once more than a share `STALE` of the people have done so.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from pipeline.database import Database
from pipeline.gallery_file import damaged
from pipeline.records import Candidate, EncoderId
from smsge.centring import centre_of, centred

BATCH = 4096

STALE = 0.01
"""Share of the people who may come, go or hold more templates before the centre is taken anew."""

POOL = 100
"""Templates near each probe among which re-ranking looks for neighbours."""


class VectorIndex(Protocol):
    """Finds the vectors with the greatest inner product; any library that can is one new file."""

    def __len__(self) -> int: ...

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Add vectors (n, D) float32 under distinct new ids (n,) int64."""
        ...

    def search(self, probes: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Inner products (n, k), falling, and ids (n, k) of the `k` <= len(self) nearest of each probe (n, D)."""
        ...

    def vectors(self, ids: np.ndarray) -> np.ndarray:
        """The vectors (n, D) float32 that were added under these ids (n,)."""
        ...


MakeIndex = Callable[[int], VectorIndex]
"""Makes an empty index for vectors of the given size."""


def faiss_index(dim: int) -> VectorIndex:
    """An exact FAISS index. Raises GalleryError where FAISS is not installed."""
    from pipeline.index import FaissIndex  # only a search needs FAISS: galleries are kept without it

    return FaissIndex(dim)


class Ranking:
    """The people of one gallery, ready to be searched; reads what changed in the file before each search."""

    def __init__(self, database: Database, make_index: MakeIndex) -> None:
        self._database = database
        self._make_index = make_index
        self._index: VectorIndex | None = None
        self._seen: tuple[int, int] | None = None
        self._state: tuple[int, int] | None = None
        self._person: dict[int, int] = {}
        self._held: Counter[int] = Counter()
        self._names: dict[int, str] = {}
        self._centre = np.zeros(0, np.float32)
        self._centred: Counter[int] = Counter()

    def rank(self, probes: np.ndarray, top: int, rerank: bool = False) -> list[list[Candidate]]:
        """The `top` people nearest to each probe (N, D), unit vectors; fewer where the gallery holds fewer.

        A person's similarity is the greatest cosine, about the gallery's centre, over their templates. Exact: as many
        templates are asked for as the `top - 1` people with the most could fill, and one more. Call `update` first.

        rerank: people come in the order of their least k-reciprocal distance (`smsge.reciprocal`) instead, among all of
        `probes` and the `POOL` templates nearest to each; who has no template there comes after those who have.
        """
        if self._index is None or len(self._index) == 0 or len(probes) == 0:
            return [[] for _ in probes]
        k = 1 + sum(count for _, count in self._held.most_common(top - 1))
        probes = centred(probes, self._centre)
        products, ids = self._index.search(probes, min(len(self._index), max(k, POOL) if rerank else k))
        distances = self._reranked(self._index, probes, ids[:, :POOL]) if rerank else [{} for _ in probes]
        rows = zip(products.tolist(), ids.tolist(), distances, strict=True)
        return [self._people(*row, top) for row in rows]

    def _people(self, products: list[float], ids: list[int], distance: dict[int, float], top: int) -> list[Candidate]:
        """distance: of templates, where they are re-ranked."""
        best: dict[int, float] = {}
        apart: dict[int, float] = {}
        for product, template in zip(products, ids, strict=True):
            person = self._person[template]
            best.setdefault(person, max(-1.0, min(1.0, product)))
            apart[person] = min(apart.get(person, math.inf), distance.get(template, math.inf))
        order = sorted(best, key=lambda person: (apart[person], -best[person], self._names[person]))
        return [Candidate(self._names[person], best[person], self._held[person]) for person in order[:top]]

    def _reranked(self, index: VectorIndex, probes: np.ndarray, ids: np.ndarray) -> list[dict[int, float]]:
        """For each probe the distances of the templates with these ids, by id."""
        from smsge.reciprocal import reranked  # here, because SciPy takes a while and few searches need it

        pool = np.unique(ids)
        distances = reranked(probes, index.vectors(pool))
        return [dict(zip(pool.tolist(), row, strict=True)) for row in distances.tolist()]

    def update(self, encoder: EncoderId, revision: int) -> None:
        """Bring the index in step with the file; call it within a snapshot, with what the gallery's row says there.

        New templates are added. Where some are gone, the gallery was re-embedded or its centre has moved, the index is
        built afresh.
        """
        seen = self._database.version()
        if seen == self._seen:
            return
        person = {int(row[0]): int(row[1]) for row in self._database.rows("SELECT id, person FROM templates")}
        state = (revision, encoder.dim)
        held = Counter(person.values())
        changed = sum(held[number] != self._centred[number] for number in held.keys() | self._centred.keys())
        moved = changed > STALE * len(self._centred)
        stale = self._index is None or state != self._state or moved or not person.keys() >= self._person.keys()
        self._state = self._seen = None  # until the index is whole again
        if self._index is None or stale:
            self._index = self._make_index(encoder.dim)
            self._centre, self._centred = self._new_centre(person, encoder.dim), held
            newest = 0
        else:
            newest = max(self._person, default=0)
        self._add_newer(self._index, newest, encoder.dim)
        self._person = person
        self._held = held
        self._names = {int(row[0]): str(row[1]) for row in self._database.rows("SELECT id, name FROM people")}
        self._state = state
        self._seen = seen

    def _new_centre(self, person: dict[int, int], dim: int) -> np.ndarray:
        """(D,) of all templates; person: whose each is."""
        sums = {number: np.zeros(dim) for number in person.values()}
        for ids, vectors in self._newer(0, dim):
            for template, vector in zip(ids.tolist(), vectors, strict=True):
                sums[person[template]] += vector
        held = Counter(person.values())
        means = np.array([total / held[number] for number, total in sums.items()]).reshape(-1, dim)
        return centre_of(means, np.arange(len(means)))

    def _add_newer(self, index: VectorIndex, newest: int, dim: int) -> None:
        for ids, vectors in self._newer(newest, dim):
            index.add(ids, centred(vectors, self._centre))

    def _newer(self, newest: int, dim: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(n,) ids above `newest` and their (n, D) unit vectors, in portions.

        Raises GalleryError where one is damaged.
        """
        sql = "SELECT id, embedding FROM templates WHERE id > ? ORDER BY id LIMIT ?"
        while batch := list(self._database.rows(sql, (newest, BATCH))):
            if any(len(embedding) != 4 * dim for _, embedding in batch):
                raise damaged(self._database.path, "an embedding of the wrong size")
            vectors = np.frombuffer(b"".join(embedding for _, embedding in batch), "<f4").reshape(-1, dim)
            if not np.isfinite(vectors).all():
                raise damaged(self._database.path, "an embedding that is not finite")
            yield np.array([template for template, _ in batch], np.int64), vectors.astype(np.float32)
            newest = int(batch[-1][0])
