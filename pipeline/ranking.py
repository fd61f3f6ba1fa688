"""Ranks the people of a gallery against probes: an index over the gallery's templates, kept in step with the file.

The index of a gallery of up to `LARGE` templates is in memory only, so that nothing has to be forgotten from a second
place. That of a larger one lies beside it (`pipeline.index_file`) and is open at once; beyond `pipeline.indexing.EXACT`
it lets a search look at a part of the templates.

An index holds the templates about the gallery's centre (`smsge.centring`), which moves as people come and go and gain
or lose templates. Once more than a share `STALE` of the people have done so it is built afresh: at once where that
takes no time, else in the background, while the old one, with what is new and without what is gone, answers.
"""

import math
from collections.abc import Callable
from contextlib import closing
from typing import Protocol

import numpy as np

from pipeline.database import Database
from pipeline.embeddings import all_embeddings, embeddings
from pipeline.gallery_file import damaged
from pipeline.indexing import Builder, build_index, current_index, purge_index
from pipeline.owners import Owners
from pipeline.records import Candidate, EncoderId
from pipeline.values import Progress, silent
from smsge.centring import alike_of, centre_of, centred
from smsge.nearness import means_of

LARGE = 20_000
"""Templates up to which a gallery is read anew whenever it is opened: that takes under a second."""

STALE = 0.01
"""Share of the people who may come, go or hold other templates before the centre is taken anew."""

TOO_STALE = 0.05
"""The same for an index that is found on disk: a command that ends with its answer has no time to build another."""

POOL = 100
"""Templates near each probe among which re-ranking looks for neighbours."""


class VectorIndex(Protocol):
    """Finds the vectors with the greatest inner product; any library that can is one new file.

    exact: whether it finds all of them without being asked to be thorough.
    """

    exact: bool

    def __len__(self) -> int: ...

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Add vectors (n, D) float32 under distinct new ids (n,) int64."""
        ...

    def remove(self, ids: np.ndarray) -> None:
        """Remove the vectors that were added under these ids (n,)."""
        ...

    def search(self, probes: np.ndarray, k: int, thorough: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Inner products (n, k), falling, and ids (n, k) of the `k` <= len(self) nearest of each probe (n, D); where it
        found fewer, the other ids are -1."""
        ...

    def vectors(self, ids: np.ndarray) -> np.ndarray:
        """The vectors (n, D) float32 that were added under these ids (n,)."""
        ...


MakeIndex = Callable[[int], VectorIndex]
"""Makes an empty, exact index for vectors of the given size."""


def faiss_index(dim: int) -> VectorIndex:
    """An exact FAISS index. Raises GalleryError where FAISS is not installed."""
    from pipeline.index import FaissIndex  # only a search needs FAISS: galleries are kept without it

    return FaissIndex(dim)


class Ranking:
    """The people of one gallery, ready to be searched from memory for as long as nobody changes the file."""

    def __init__(self, database: Database, make_index: MakeIndex) -> None:
        self._database = database
        self._make_index = make_index
        self._index: VectorIndex | None = None
        self._on_disk = False
        self._seen: tuple[int, int] | None = None
        self._state: object = None
        self._held: tuple[int, EncoderId] | None = None
        self._centre = np.zeros(0, np.float32)
        self.alike: float | None = None
        """What `smsge.centring.alike_of` says of the people about whose centre the index is; None where it is on disk:
        so many leave nothing of it."""
        self._centred = Owners.none()
        self._owners = Owners.none()
        self._names: dict[int, str] = {}
        self._builder: Builder | None = None
        self._means: tuple[np.ndarray, np.ndarray] | None = None

    def rank(
        self, probes: np.ndarray, top: int, rerank: bool = False, centre: np.ndarray | None = None
    ) -> list[list[Candidate]]:
        """The `top` people nearest to each probe (N, D), unit vectors; fewer where the gallery holds fewer.

        Call `update` first where it `is_behind`.

        A person's similarity is the greatest cosine, about the gallery's centre, with any of their templates or, where
        the index is in memory, with the mean of them (`smsge.nearness`). As many templates are asked for as the
        `top - 1` people with the most could fill, and one more: so all are found by an exact index. One that is not may
        miss a person, but whom it finds has all templates looked at.

        rerank: people come in the order of their least k-reciprocal distance (`smsge.reciprocal`) instead, among all of
        `probes` and the `POOL` templates nearest to each; who has no template there comes after those who have. centre:
        (D,) what is taken off the probes, None for the gallery's.

        Raises ValueError for probes or a centre of another shape.
        """
        if probes.ndim != 2 or probes.shape[1:] != self._centre.shape:
            raise ValueError(f"probes must be (N, {len(self._centre)}), got {probes.shape}")
        if centre is not None and centre.shape != self._centre.shape:
            raise ValueError(f"a centre must be ({len(self._centre)},), got {centre.shape}")
        if self._index is None or len(self._index) == 0 or len(probes) == 0:
            return [[] for _ in probes]
        top = min(top, self._owners.persons)
        k = 1 + self._owners.largest(top - 1)
        k = min(len(self._index), max(k, POOL) if rerank else k)
        probes = centred(probes, self._centre if centre is None else centre)
        products, ids = self._index.search(probes, k)
        distances = self._reranked(self._index, probes, ids[:, :POOL]) if rerank else [{} for _ in probes]
        return [
            self._candidates(self._index, *row, top, k) for row in zip(probes, products, ids, distances, strict=True)
        ]

    def _candidates(self, index: VectorIndex, probe: np.ndarray, products: np.ndarray, ids: np.ndarray,
                    distance: dict[int, float], top: int, k: int) -> list[Candidate]:  # fmt: skip
        """The first `top` people. distance: of templates, where they are re-ranked."""
        enough = len(ids) if distance else top
        best = self._best(products, ids, enough)
        if len(best) < top:  # the cells looked into hold the templates of too few people
            products, ids = (found[0] for found in index.search(probe[None], k, thorough=True))
            best = self._best(products, ids, enough)
        best = self._with_means(best, probe)
        people = sorted(best, key=lambda person: (-best[person], person))
        if distance:
            apart = self._apart(ids, distance)
            people.sort(key=lambda person: apart.get(person, math.inf))
        people = people[:top]
        if not index.exact:
            held = [self._owners.count[person] for person in people]
            cosines = index.vectors(self._owners.templates(np.array(people))) @ probe
            best = dict(zip(people, np.maximum.reduceat(cosines, np.cumsum([0, *held[:-1]])).tolist(), strict=True))
            if not distance:
                people.sort(key=lambda person: -best[person])
        names, count = self._names, self._owners.count
        return [Candidate(names[person], max(-1.0, min(1.0, best[person])), count[person]) for person in people]

    def _with_means(self, best: dict[int, float], probe: np.ndarray) -> dict[int, float]:
        """`best` of the people with the nearest templates, falling -> that of everybody who may come before the last of
        them: nobody does whose mean is no nearer."""
        if self._means is None:
            return best
        persons, means = self._means
        cosines = means @ probe
        nearer = cosines > next(reversed(best.values()), -1.0)
        for person, cosine in zip(persons[nearer].tolist(), cosines[nearer].tolist(), strict=True):
            best[person] = max(best.get(person, -1.0), cosine)
        return best

    def _best(self, products: np.ndarray, ids: np.ndarray, enough: int) -> dict[int, float]:
        """The greatest product of each of the first `enough` people found, falling; products fall."""
        best: dict[int, float] = {}
        for person, product in zip(self._owners.of(ids).tolist(), products.tolist(), strict=True):
            if person >= 0 and person not in best:  # -1 where fewer templates were found
                best[person] = product
                if len(best) == enough:
                    break
        return best

    def _apart(self, ids: np.ndarray, distance: dict[int, float]) -> dict[int, float]:
        """The least distance of each person found."""
        apart: dict[int, float] = {}
        for person, template in zip(self._owners.of(ids).tolist(), ids.tolist(), strict=True):
            apart[person] = min(apart.get(person, math.inf), distance.get(template, math.inf))
        return apart

    def _reranked(self, index: VectorIndex, probes: np.ndarray, ids: np.ndarray) -> list[dict[int, float]]:
        """For each probe the distances of the templates with these ids, by id."""
        from smsge.reciprocal import reranked  # here, because SciPy takes a while and few searches need it

        pool = np.unique(ids[ids >= 0])
        distances = reranked(probes, index.vectors(pool))
        return [dict(zip(pool.tolist(), row, strict=True)) for row in distances.tolist()]

    @property
    def is_behind(self) -> bool:
        """Whether the file may have changed since, or another index is ready."""
        return self._is_ready or self._seen != self._database.version()

    def update(self, encoder: EncoderId, revision: int, progress: Progress = silent) -> None:
        """Bring the index in step with the file; call it within a snapshot, with what the gallery's row says there.

        Raises GalleryError where a template is damaged, also one that was met in the background.
        """
        built = self._built()
        seen, state, held = self._database.version(), self._database.state(), (revision, encoder)
        same = self._index is not None and held == self._held
        if same and state == self._state and not built:
            self._seen = seen  # others have only entered something in the audit log
            return
        owners = Owners.read(self._database)
        names = {int(person): str(name) for person, name in self._database.rows("SELECT id, name FROM people")}
        if not owners.all_among(names):
            raise damaged(self._database.path, "templates of nobody")
        self._held = self._seen = None  # until the index is whole again
        if same:
            if built:
                self._open(owners)
            self._follow(owners, encoder.dim, progress)
        else:
            self._begin(owners, encoder.dim, progress)
        self._means = self._means_in_memory()
        self._names = names
        self._seen, self._state, self._held = seen, state, held

    def close(self) -> None:
        """End what goes on in the background."""
        if self._builder is not None:
            self._builder.stop()

    @property
    def _is_ready(self) -> bool:
        """Whether the building of an index in the background has ended."""
        return self._builder is not None and not self._builder.is_alive()

    def _built(self) -> bool:
        """Whether an index that was built in the background is ready. Raises GalleryError where that failed."""
        if self._builder is None or not self._is_ready:
            return False
        fault, self._builder = self._builder.fault, None
        if fault is not None:
            raise fault
        return True

    def _is_large(self, owners: Owners) -> bool:
        """Whether the index belongs beside the gallery; that of an encrypted one never does."""
        return len(owners) > LARGE and self._database.key is None

    def _begin(self, owners: Owners, dim: int, progress: Progress) -> None:
        """Make an index where there is none yet."""
        if self._is_large(owners) and (
            self._open(owners) or (build_index(self._database.path, progress) and self._open(owners))
        ):
            self._change(owners, dim)
        else:
            self._build_exact(owners, dim, progress)

    def _follow(self, owners: Owners, dim: int, progress: Progress) -> None:
        """Bring the index from what it holds to what there is now."""
        assert self._index is not None
        stale = owners.changed(self._centred) > STALE * self._centred.persons
        if not self._is_large(owners) and (stale or owners.lacks(self._owners.ids).any()):
            self._build_exact(owners, dim, progress)
            return
        if (
            self._is_large(owners)
            and (stale or not self._on_disk)
            and self._builder is None
            and self._database.writable
        ):
            self._builder = Builder(self._database.path)
        self._change(owners, dim)

    def _change(self, owners: Owners, dim: int) -> None:
        """Take from the index what is gone, add what is new."""
        assert self._index is not None
        gone = self._owners.ids[owners.lacks(self._owners.ids)]
        if len(gone):
            self._index.remove(gone)
        for ids, vectors in embeddings(self._database, self._owners.newest, dim):
            self._index.add(ids, centred(vectors, self._centre))
        self._owners = owners

    def _build_exact(self, owners: Owners, dim: int, progress: Progress) -> None:
        vectors = all_embeddings(self._database, len(owners), dim, progress)
        self._centre, self.alike = centre_of(vectors, owners.people), alike_of(vectors, owners.people)
        self._index = self._make_index(dim)
        self._index.add(owners.ids, centred(vectors, self._centre))
        self._owners = self._centred = owners
        self._on_disk = False

    def _means_in_memory(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Persons (P,), rising, and the means of their templates (P, D), of unit length. None where nobody has several,
        and for an index on disk: to read all of it takes longer than to open it."""
        if self._index is None or self._on_disk or not self._owners.several:
            return None
        persons = np.array(list(self._owners.count), np.int64)
        templates = self._index.vectors(self._owners.templates(persons))
        starts = np.cumsum([0, *self._owners.count.values()])[:-1]
        return persons, means_of(templates, starts)

    def _open(self, owners: Owners) -> bool:
        """Take the index beside the gallery; whether there is one that will do."""
        from pipeline.index import CellIndex

        file = current_index(self._database)
        if file is None:
            return False
        with closing(file):
            order = np.argsort(file.ids)
            whole = Owners(file.ids[order], file.people[order])
            kept = ~file.erased[order]
            held = Owners(whole.ids[kept], whole.people[kept])
            old = owners.ids[owners.ids <= file.origin.newest]
            if held.lacks(old).any() or owners.changed(whole) > TOO_STALE * whole.persons:
                return False
            self._index, self._on_disk = CellIndex(file), True
        if self._database.writable and owners.lacks(held.ids).any():
            purge_index(self._database)  # left by a process that was killed before it could
        self._centre, self._centred, self._owners, self.alike = file.centre, whole, held, None
        return True
