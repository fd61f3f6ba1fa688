"""The gallery: who was enrolled, from what, and who is most like a probe. SQLite is the truth, the index follows it.

Every change is one transaction: a process that is killed leaves all of it or nothing. A `Gallery` belongs to the
thread and the process that opened it.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

import numpy as np

from pipeline import audit, checking, exchange, forgetting, keeping, reindexing
from pipeline.adding import Entry, add_clip
from pipeline.database import Database
from pipeline.erasing import finish_erasing
from pipeline.errors import GalleryError
from pipeline.gallery_file import log_of
from pipeline.index_file import index_path
from pipeline.indexing import purge_index
from pipeline.names import person_name
from pipeline.normalize import AS_SEEN
from pipeline.ranking import MakeIndex, Ranking, faiss_index
from pipeline.records import (
    Added,
    Candidate,
    ClipSource,
    EncoderId,
    Forgotten,
    Imported,
    LogEntry,
    PersonDetail,
    PersonSummary,
    Stats,
)
from pipeline.templates import Embedder, Template, encoder_id
from pipeline.thresholds import Thresholds
from pipeline.values import Progress, silent

__all__ = [
    "Added",
    "Candidate",
    "ClipSource",
    "EncoderId",
    "Forgotten",
    "Gallery",
    "Imported",
    "LogEntry",
    "PersonDetail",
    "PersonSummary",
    "Stats",
]


class Gallery:
    """One gallery file, open. Use it as a context manager, or call `close`."""

    def __init__(self, database: Database, encoder: EncoderId | None, make_index: MakeIndex = faiss_index) -> None:
        self._database = database
        self._encoder = encoder
        self._ranking = Ranking(database, make_index)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        fingerprint: str | None = None,
        encoder_name: str = "",
        dim: int = 0,
        skeletons: str = AS_SEEN,
        create: bool = True,
        log: bool = True,
        make_index: MakeIndex = faiss_index,
    ) -> "Gallery":
        """Open the gallery at `path`; with `create`, and an encoder to belong to, make it where there is none.

        fingerprint: of the encoder in use; None to manage the gallery (list, rename, forget, export …) without one,
        which can neither add nor search. encoder_name, dim: of that encoder; skeletons: how those are made that will be
        added. log: whether what is done is entered in its audit log. A gallery that may not be written is opened for
        reading, and can be searched.
        Raises WrongEncoderError for the gallery of another encoder, GalleryError for anything else that is wrong.
        """
        encoder = None if fingerprint is None else EncoderId(fingerprint, encoder_name, dim, skeletons)
        database = Database.open(Path(path), encoder if create else None, log)
        try:
            held, _ = keeping.encoder_of(database)
            if encoder is not None:
                keeping.require_encoder(database.path, held, encoder)
            finish_erasing(database)
        except BaseException:
            database.close()
            raise
        return cls(database, encoder, make_index)

    @classmethod
    @contextmanager
    def open_for_import(cls, path: str | Path, exported: str | Path, log: bool = True) -> Iterator["Gallery"]:
        """The gallery at `path`, open for an import; where there is none, one of the export's encoder is made, and
        removed again where the import fails."""
        if Path(path).exists():
            with cls.open(path, create=False, log=log) as gallery:
                yield gallery
            return
        theirs = exchange.encoder_of_export(Path(exported))
        with cls.open(
            path,
            fingerprint=theirs.fingerprint,
            encoder_name=theirs.name,
            dim=theirs.dim,
            skeletons=theirs.skeletons,
            log=log,
        ) as gallery:
            try:
                yield gallery
            except BaseException:
                gallery._remove_empty()
                raise

    @property
    def path(self) -> Path:
        """The file."""
        return self._database.path

    @property
    def writable(self) -> bool:
        """Whether anything can be changed in it here."""
        return self._database.writable

    @property
    def encoder(self) -> EncoderId:
        """Whose templates it holds."""
        return keeping.encoder_of(self._database)[0]

    @property
    def state(self) -> str:
        """Changes whenever anything in it does but its audit log: what a search finds depends on nothing else in it."""
        return "".join(str(number) for (number,) in self._database.state())

    @property
    def thresholds(self) -> Thresholds | None:
        """Its own, of the people it is used on; None where it was never calibrated, and the encoder's hold."""
        with self._database.snapshot():
            return keeping.thresholds_of(self._database)

    def calibrate(self, thresholds: Thresholds) -> None:
        """Keep these as its own, for the encoder it was opened with. Raises WrongEncoderError, GalleryError."""
        own = self._own_encoder()
        with self._database.transaction():
            keeping.require_encoder(self.path, self.encoder, own)
            keeping.keep_thresholds(self._database, thresholds)

    def uncalibrate(self) -> bool:
        """Drop its own thresholds, so that the encoder's hold; whether there were any."""
        with self._database.transaction():
            return keeping.drop_thresholds(self._database)

    def add(
        self,
        name: str,
        templates: Sequence[Template],
        source: ClipSource,
        again: bool = False,
        most: int | None = None,
    ) -> Added:
        """Enrol one person from one clip; see `add_clip`."""
        return self.add_clip([(name, templates, source)], again=again, most=most)

    def add_clip(
        self,
        entries: Sequence[Entry],
        again: bool = False,
        newcomers: Collection[str] = (),
        most: int | None = None,
    ) -> Added:
        """Enrol the people of one clip, each as (name, templates, source), in one transaction.

        A name in the gallery gains templates. again: take a clip that is enrolled already; what a person has from
        the same track of it is replaced. newcomers: names that nobody may have yet. most: templates that are kept of
        each of these people, old and new together, the rest is deleted (`pipeline.diversity`), and so is a clip that
        nothing is left of; None keeps all.
        Raises AlreadyEnrolledError, NameTakenError, WrongEncoderError, GalleryError; ValueError for unsound templates.
        """
        added = add_clip(self._database, self._own_encoder(), entries, again, newcomers, most)
        if again or any(added.dropped.values()):
            purge_index(self._database)
        return added

    def holds(self, content: str) -> list[str]:
        """Whom the clip with this content (sha256) is enrolled as; empty where it is not."""
        return keeping.names_of_clip(self._database, content)

    @property
    def count(self) -> int:
        """How many people are enrolled."""
        ((count,),) = self._database.rows("SELECT count(*) FROM people")
        return int(count)

    @property
    def empty(self) -> bool:
        """Whether nobody is enrolled."""
        return not list(self._database.rows("SELECT 1 FROM templates LIMIT 1"))

    def people(self) -> list[PersonSummary]:
        """Everybody, by name."""
        return keeping.summaries(self._database)

    def show(self, name: str) -> PersonDetail:
        """One person with every template. Raises UnknownNameError."""
        with self._database.snapshot():
            person = keeping.known_person(self._database, name)
            return PersonDetail(person_name(name), keeping.templates_of(self._database, person))

    def stats(self) -> Stats:
        """The gallery in figures."""
        with self._database.snapshot():
            people = keeping.summaries(self._database)
            ((clips,),) = self._database.rows("SELECT count(*) FROM clips")
            encoder, format = self.encoder, self._database.format()
            thresholds = keeping.thresholds_of(self._database)
        files = (self.path, log_of(self.path), index_path(self.path))
        size = sum(file.stat().st_size for file in files if file.exists())
        count = sum(person.templates for person in people)
        calibrated = 0 if thresholds is None else thresholds.people
        return Stats(str(self.path), format, encoder, len(people), count, clips, size, calibrated, tuple(people))

    def check(self) -> list[str]:
        """What is wrong with the gallery, each in a few words; empty where every page and every row is sound."""
        return checking.problems(self._database)

    def search(
        self,
        embeddings: np.ndarray,
        top: int,
        rerank: bool = False,
        progress: Progress = silent,
        centre: np.ndarray | None = None,
    ) -> list[list[Candidate]]:
        """For each probe of `embeddings` (N, D) the `top` people most like it, best first.

        A person's similarity is the greatest cosine, about the gallery's centre (`smsge.centring`), with any of their
        templates or, where the index is in memory, with the mean of them (`smsge.nearness`); fewer than `top` only
        where fewer are enrolled. rerank: order them by k-reciprocal re-ranking (`pipeline.ranking`), their similarities
        as without. centre: (D,) that is taken off the probes, where it is known what filmed them (`pipeline.cameras`);
        else the gallery's is.
        Raises WrongEncoderError where another process moved the gallery to another encoder, GalleryError
        where FAISS is missing, ValueError for probes of the wrong shape, not finite or zero, and for top < 1.
        """
        probes = np.asarray(embeddings, np.float32)
        if top < 1:
            raise ValueError(f"top must be at least 1, got {top}")
        norms = np.sqrt(np.vecdot(probes, probes))[..., None]
        if not ((norms > 0) & (norms < np.inf)).all():
            raise ValueError("probes must be finite and not zero")
        self._catch_up(progress)
        return self._ranking.rank(probes / norms, top, rerank, centre)

    @property
    def alike(self) -> float | None:
        """What the embeddings of everybody enrolled have in common, as `smsge.centring.alike_of` says; None where that
        is not known, of one person or a gallery too large for it to matter. Raises as `search`."""
        self._catch_up(silent)
        return self._ranking.alike

    def _catch_up(self, progress: Progress) -> None:
        """Bring what is searched in step with the file."""
        own = self._own_encoder()
        if self._ranking.is_behind:
            with self._database.snapshot():
                encoder, revision = keeping.encoder_of(self._database)
                keeping.require_encoder(self.path, encoder, own)
                self._ranking.update(encoder, revision, progress)

    def rename(self, name: str, new: str) -> None:
        """Give a person another name; no file's name tells the old one from then on, unless the new one does too.

        Raises UnknownNameError, GalleryError where the new name is another person's.
        """
        forgetting.rename(self._database, name, new)

    def merge(self, name: str, into: str) -> int:
        """Make two people one: `name` is gone as `rename` does it, `into` has the templates of both; how many moved.

        Raises UnknownNameError, GalleryError where they are the same.
        """
        return forgetting.merge(self._database, name, into)

    def forget(self, name: str) -> Forgotten:
        """Delete a person with everything kept of them, down to the bytes in the file, and every backup of the gallery.

        Raises UnknownNameError; GalleryError where a backup cannot be removed, and nothing is changed then; and where
        the person is deleted but old bytes cannot be erased yet, because another process still reads the file or there
        is no room to write it anew: they go the next time the gallery is opened.
        """
        return forgetting.forget(self._database, name)

    def export(self, path: str | Path, progress: Progress = silent) -> None:
        """Write everything to one portable file, mode 0600: arrays where its name ends in .npz, else a gallery.

        Raises GalleryError where it cannot or must not.
        """
        exchange.export(self._database, Path(path), progress)
        self.record("exported", file=str(path))

    def log(self, last: int | None = None) -> list[LogEntry]:
        """The `last` entries of the audit log (None: all), oldest first."""
        with self._database.snapshot():
            return audit.entries(self._database, last)

    def record(self, event: audit.Event, names: Collection[str] = (), file: str | None = None) -> None:
        """Enter in the audit log what was done with these people, or with nobody of the gallery where there are none;
        nothing where the log is switched off or the gallery cannot be written."""
        if self.writable and self._database.logs:
            with self._database.transaction():
                audit.record(self._database, event, keeping.ids_of(self._database, names) or [None], file)

    def import_(self, path: str | Path, progress: Progress = silent) -> Imported:
        """Merge the people of a file that `export` wrote, in one transaction; clips held already are skipped.

        Raises WrongEncoderError, GalleryError; then nothing is changed.
        """
        return exchange.import_into(self._database, Path(path), progress)

    def reindex(self, embedder: Embedder, progress: Progress = silent) -> int:
        """Move the gallery to another encoder: embed every stored skeleton again, all or nothing; how many.

        Raises WrongEncoderError where the skeletons were made in another way than now, GalleryError where it fails;
        then nothing is changed.
        """
        count = reindexing.reindex(self._database, self.encoder, embedder, progress)
        self._encoder = encoder_id(embedder)
        return count

    def close(self) -> None:
        """Close the file."""
        self._ranking.close()
        self._database.close()

    def __enter__(self) -> "Gallery":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _remove_empty(self) -> None:
        """Remove the file where nobody is enrolled and no other process has it open."""
        with suppress(GalleryError, OSError), self._database.alone():
            if self.empty:
                self.path.unlink()

    def _own_encoder(self) -> EncoderId:
        if self._encoder is None:
            raise ValueError(
                "a gallery opened without an encoder's fingerprint can be managed, not added to or searched"
            )
        return self._encoder
