"""Every clip below a folder, searched or enrolled: worker processes read the clips, this process decides and writes.

A row is written when its clip is done and, in an enrolment, in the gallery; a run that was killed goes on from there.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

from rich.table import Table

from pipeline.cameras import worth_learning
from pipeline.crew import Alive, Done, Engine
from pipeline.documents import exit_code, save_json
from pipeline.enroll import CLIP_ERRORS, enroll_reading, refuse_known, refuse_read_only
from pipeline.enrolled import ClipEnrolment
from pipeline.errors import (
    AlreadyEnrolledError,
    CheckpointError,
    ConfigError,
    DetectorError,
    PoseModelError,
    SkeletonFileError,
    UserError,
    VideoError,
)
from pipeline.gallery import Gallery
from pipeline.identify import Identification
from pipeline.ledger import ROWS, Ledger
from pipeline.names import printable
from pipeline.pool import run_tasks
from pipeline.probes import Reader, Reading, own_embedder
from pipeline.resuming import refuse_another_run
from pipeline.settings import Settings
from pipeline.sources import clip_content, clips_below, no_clip, placed
from pipeline.templates import Embedder
from pipeline.values import Progress, silent

Mode = Literal["search", "enroll"]
Read = Callable[[str, Alive], tuple[float, Reading]]
"""A clip's path, and what to call while it gets on -> the seconds it took, and what is in it."""

SUMMARY = "summary.json"

FATAL = (CheckpointError, ConfigError, DetectorError, PoseModelError)
"""What would fail every other clip as well: it ends the run."""


@dataclass(frozen=True)
class BatchResult:
    """What a run came to. clips: below the folder. done: rows written now. resumed: rows of an earlier run.
    outdated: rows of an earlier run whose clip, gallery or camera has changed since, and whose clips were done again.
    already: of those done, enrolled before. links: to clips elsewhere, which are not followed. failures: (clip, why).
    seconds: of this run. note: one line for the user, where the camera could be learned from what was searched."""

    mode: str
    folder: str
    out: str
    gallery: str
    encoder: str
    clips: int
    done: int
    resumed: int
    outdated: int
    already: int
    links: int
    failures: tuple[tuple[str, str], ...]
    seconds: float
    note: str | None = None
    rows: tuple[dict[str, Any], ...] = field(default=(), repr=False, compare=False)

    @property
    def exit_code(self) -> int:
        """0 all clips done, 1 some failed, 2 all failed."""
        return exit_code(self.done + self.resumed, len(self.failures))

    def table(self) -> Table:
        """The counts, then a row for every clip that failed, for a terminal."""
        table = Table(self.mode, printable(str(self.folder)))
        for what in ("clips", "done", "resumed", "outdated", "already"):
            table.add_row(what, str(getattr(self, what)))
        table.add_row("failed", str(len(self.failures)))
        if self.links:
            table.add_row("links to elsewhere", f"{self.links}, not followed")
        table.add_row("answers", printable(str(Path(self.out) / ROWS)), end_section=True)
        for clip, error in self.failures:
            table.add_row(printable(clip), printable(error))
        return table

    def json(self) -> dict[str, Any]:
        """The document docs/json.md describes, which `out`/summary.json holds."""
        told = {key: value for key, value in vars(self).items() if key not in ("rows", "failures")}
        return {
            **told,
            "failed": len(self.failures),
            "failures": [{"clip": clip, "error": error} for clip, error in self.failures],
        }

    def save(self, path: str | Path) -> Path:
        """Write `json()` to `path`, whole or not at all. Raises UserError where it cannot be written."""
        return save_json(path, self.json())


def batch(
    folder: str | Path,
    out: str | Path,
    *,
    gallery: Gallery,
    mode: Mode = "search",
    workers: int | None = None,
    settings: Settings | None = None,
    progress: Progress = silent,
    embedder: Embedder | None = None,
    engine: Engine | None = None,
    make_read: Callable[..., Read] | None = None,
) -> BatchResult:
    """Search or enrol every clip and file of skeletons below `folder`, writing `out`/results.jsonl and summary.json.

    One row a clip (docs/json.md). A clip that fails has a row that says so, and the run goes on. A clip fails too whose
    worker dies or makes no progress for `settings.batch.patience`, and does so again at the second try. Run again,
    clips that are done are skipped and failed ones tried again; so are those that have changed, that were searched for
    in another state of the gallery, or that it no longer holds. Enrolled people are named as in `enroll`;
    who-is-who pictures go to `out`/pictures. workers: processes; default one for every two cores. engine: where they
    run, by default here (`pool.run_tasks`); a `ray_engine.RayEngine` has them on a cluster. make_read: called once in
    every worker for the function that reads a clip there (a module's function; in tests, or for another decoder), as
    `read_clips` is.

    Raises VideoError (no clip there), GalleryError, ConfigError (a rate that no calibration tells), CameraError,
    UserError (`out` cannot be written, is in use by another run, or holds a run of another kind).
    """
    folder, out, settings = Path(folder), Path(out), settings or Settings()
    if workers is not None and workers < 1:
        raise UserError(f"--workers {workers}: at least one is needed")
    began = time.monotonic()
    clips, links = clips_below(folder, without=[out])
    if not clips:
        raise no_clip(folder, links)
    if mode == "enroll":
        refuse_read_only(gallery)
    embedder = embedder or own_embedder(settings)
    identification = Identification.begin(gallery, embedder, settings) if mode == "search" else None
    with Ledger(out) as ledger:
        run = _Run(folder, out, mode, gallery, settings, embedder, identification, clips, ledger)
        refuse_another_run(out / SUMMARY, run.identity())
        outdated = sum(row.get("status") != "failed" for row in ledger.resume(run.keeps))
        paths = {clip.relative_to(folder).as_posix(): clip for clip in clips}
        resumed = sum(name in ledger.rows for name in paths)
        save_json(out / SUMMARY, {**run.identity(), "finished": False, "clips": len(clips)})
        tasks, rows = [], []
        for name, clip in paths.items():
            if name in ledger.rows:
                continue
            row = run.row_without_reading(name, clip)
            if row is None:
                tasks.append(str(clip))
            else:
                ledger.add(row)
                rows.append(row)
        progress(mode, resumed + len(rows), len(clips))
        make = partial(make_read or read_clips, settings)
        with closing((engine or run_tasks)(tasks, make, workers, settings.batch.patience)) as ends:
            for end in ends:
                row = run.row(end)
                ledger.add(row)
                rows.append(row)
                progress(mode, resumed + len(rows), len(clips))
        failures = tuple((row["clip"], row["error"]) for row in rows if row["status"] == "failed")
        result = BatchResult(
            mode, str(folder.resolve()), str(out), str(gallery.path.resolve()), embedder.name,
            clips=len(clips), done=len(rows) - len(failures), resumed=resumed, outdated=outdated,
            already=sum(row["status"] == "already" for row in rows), links=len(links), failures=failures,
            seconds=round(time.monotonic() - began, 3), rows=tuple(ledger.rows.values()),
            note=_to_learn_from(folder, identification, ledger.rows.values()),
        )  # fmt: skip
        save_json(out / SUMMARY, {**run.identity(), "finished": True, **result.json()})
        return result


def _to_learn_from(folder: Path, identification: Identification | None, rows: Iterable[dict[str, Any]]) -> str | None:
    """A line on what a camera could be learned from, after a search without one."""
    if identification is None or identification.camera is not None:
        return None
    usable = sum(track["decision"] != "refused" for row in rows for track in row.get("tracks", ()))
    return worth_learning(str(folder), usable)


def read_clips(settings: Settings, embedder: Embedder | None = None) -> Read:
    """What a worker does: one reader, its models loaded once, for all of its clips. embedder: one that is shared by
    several workers, instead of the worker's own."""
    reader = Reader(settings, embedder=embedder)

    def read(source: str, alive: Alive) -> tuple[float, Reading]:
        began = time.monotonic()
        reading = reader.read(source, lambda what, done, total: alive())
        return time.monotonic() - began, reading

    return read


@dataclass(frozen=True)
class _Run:
    """One run: how the reading of a clip becomes its row, with the gallery written on the way."""

    folder: Path
    out: Path
    mode: str
    gallery: Gallery
    settings: Settings
    embedder: Embedder
    identification: Identification | None
    """Of a search."""
    clips: Sequence[Path]
    ledger: Ledger
    contents: dict[Path, str] = field(default_factory=dict)
    """Of the clips that were looked at."""

    def identity(self) -> dict[str, Any]:
        """What must be the same for a run to go on where another stopped; no row depends on
        how fast it runs, or on whether it is logged, and each says of which camera it is."""
        settings = asdict(self.settings)
        del settings["search"]["camera"]
        del settings["batch"], settings["encoder"]["device"], settings["encoder"]["batch"], settings["gallery"]["log"]
        return {
            "mode": self.mode,
            "folder": str(self.folder.resolve()),
            "gallery": str(self.gallery.path.resolve()),
            "fingerprint": self.embedder.fingerprint,
            "settings": settings,
        }

    def keeps(self, row: dict[str, Any]) -> bool:
        """Whether a row of an earlier run stands: its clip was done, and is gone, or it and what the gallery has to say
        of it are still the same."""
        if row.get("status") == "failed":
            return False
        path = self.folder / row["clip"]
        return not path.exists() or (self._is_of_gallery(row) and self._content(path) == row.get("content"))

    def _is_of_gallery(self, row: dict[str, Any]) -> bool:
        """Whether a row is an answer from the gallery as it is now, or its clip was enrolled there."""
        if self.identification is not None:
            return bool(row.get("state") == self.identification.state)
        return bool(self.gallery.holds(row.get("content", ""))) or self._was_let_go(row)

    def _was_let_go(self, row: dict[str, Any]) -> bool:
        """Whether a clip is not in the gallery only because its people have as many templates as are kept."""
        names = [person["name"] for person in row.get("people", ())]
        most = self.settings.gallery.max_templates
        return bool(names) and all(self._templates.get(name, 0) >= most for name in names)

    @cached_property
    def _templates(self) -> dict[str, int]:
        """How many everybody has as the run begins."""
        return {person.name: person.templates for person in self.gallery.people()}

    def row_without_reading(self, name: str, clip: Path) -> dict[str, Any] | None:
        """The row of a clip that the gallery holds already, so that nobody need read it; None for any other."""
        if self.mode != "enroll":
            return None
        content = self._content(clip)
        try:
            refuse_known(self.gallery, str(clip), content)
        except AlreadyEnrolledError as error:
            return self._known(name, content, error)
        return None

    def row(self, end: Done[str, tuple[float, Reading]]) -> dict[str, Any]:
        """The row of a clip that a worker is through with."""
        clip = Path(end.task)
        name = clip.relative_to(self.folder).as_posix()
        if end.answer is None:
            if isinstance(end.error, FATAL):
                raise end.error
            return self._row(name, "", "failed", 0.0, str(end.error))
        seconds, reading = end.answer
        content = reading.extraction.content
        try:
            document = self._decide(clip, reading)
        except AlreadyEnrolledError as error:
            return self._known(name, content, error)
        except CLIP_ERRORS as error:
            return self._row(name, content, "failed", seconds, str(error))
        return self._row(name, content, "ok", seconds, None, document)

    def _decide(self, clip: Path, reading: Reading) -> dict[str, Any]:
        for probe in reading.usable:
            if probe.template is not None and probe.template.fingerprint != self.embedder.fingerprint:
                raise CheckpointError(
                    f"{clip} was encoded with other weights than this run's ({self.embedder.name}):"
                    " the file that encoder.weights names must be the same for every worker"
                )
        if self.identification is not None:
            state = self.identification.state  # before the answer: what changes meanwhile has the clip searched again
            return {**self.identification.answer(reading).json(), "state": state}
        who = placed(self.folder, clip)
        pictures = self.out / "pictures" / clip.relative_to(self.folder).parent
        return enroll_reading(
            reading, who.name, self.gallery, self.embedder, pictures=pictures, settings=self.settings
        ).json()

    def _known(self, name: str, content: str, error: AlreadyEnrolledError) -> dict[str, Any]:
        """A clip that the gallery holds: fine, whatever its people are called by now; a mistake under another name than
        theirs where it has two here."""
        who = self._called(name)
        held = self.gallery.holds(content)
        if all(other == who or other.startswith(f"{who}-") for other in held):
            return self._row(name, content, "already", 0.0, None)
        if len(self._names_here.get(content, ())) > 1:
            return self._row(name, content, "failed", 0.0, str(error))
        note = f"enrolled already, as {', '.join(held)}"
        return self._row(name, content, "already", 0.0, None, ClipEnrolment(name, notes=(note,)).json())

    def _called(self, name: str) -> str:
        """What the people of a clip are called by where it lies."""
        return placed(self.folder, self.folder / name).name

    @cached_property
    def _names_here(self) -> dict[str, set[str]]:
        """What the people of a clip are called by where it and its copies lie, or lay in an earlier run; by content."""
        lie = [(clip.relative_to(self.folder).as_posix(), self._content(clip)) for clip in self.clips]
        names: dict[str, set[str]] = {}
        for clip, content in [*lie, *((row["clip"], row.get("content", "")) for row in self.ledger.rows.values())]:
            names.setdefault(content, set()).add(self._called(clip))
        return names

    def _row(
        self, name: str, content: str, status: str, seconds: float, error: str | None,
        document: dict[str, Any] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        told = {"clip": name, "content": content, "status": status, "seconds": round(seconds, 3), "error": error}
        if document is None and self.identification is not None:
            failed = self.identification.failed(name, error)
            document = {**failed.json(), "state": self.identification.state}
        document = document or ClipEnrolment(name, error=error).json()
        return {**told, **{key: value for key, value in document.items() if key not in told}}

    def _content(self, clip: Path) -> str:
        if clip not in self.contents:
            try:
                self.contents[clip] = clip_content(str(clip))
            except (VideoError, SkeletonFileError):
                self.contents[clip] = ""  # the worker meets the same error, and its row tells it
        return self.contents[clip]
