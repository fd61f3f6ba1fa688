"""The main job on the sample clips: enrol some people, find them in other clips, and compare with the truth.

The sample folder holds `people/NAME/*.mp4`, `search/*.mp4` and `answers.yaml`, which lists under `clips` who is in each
clip. A name that nobody has in `people/` is a stranger; an empty list is a clip without people.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from rich.table import Table

from pipeline.answers import Match, SearchResult
from pipeline.documents import save_json
from pipeline.enroll import enroll
from pipeline.errors import UserError
from pipeline.opening import open_gallery
from pipeline.pose import PoseEstimator
from pipeline.probes import own_embedder
from pipeline.search import search_each
from pipeline.settings import Settings
from pipeline.templates import Embedder
from pipeline.values import Progress, silent

NOBODY, FOLDER = "nobody", "search/"
RIGHT, MISSED, WRONG = "right", "missed", "wrong"


@dataclass(frozen=True)
class Row:
    """One track of one clip. truth: who it really is (names that may be meant, or nobody). first: the best candidate,
    whatever the decision; similarity: its. verdict: right; missed, where somebody enrolled is called unknown or not
    seen; wrong, where anybody is called by another's name; None where the track was refused, which is neither."""

    clip: str
    track: int
    truth: tuple[str, ...]
    decision: str
    first: str | None
    similarity: float | None
    verdict: str | None


@dataclass(frozen=True)
class DemoResult:
    """What the demo came to. enrolled: names in the gallery. found: how many of the `known` clips with one enrolled
    person have that person at rank 1; matched: how many of them are a match too. strangers: clips with one person who
    is enrolled nowhere, and stayed_unknown: those of them in which nobody is a match."""

    encoder: str
    threshold: float
    enrolled: tuple[str, ...]
    rows: tuple[Row, ...]
    known: int
    found: int
    matched: int
    strangers: int
    stayed_unknown: int
    annotated: str | None

    def table(self) -> Table:
        """A row a track, for a terminal: clip, who it really is, what was found, similarity, decision, verdict."""
        columns = ("clip", "who it really is", "most like", "similarity", "decision", "")
        table = Table(*columns, title=f"{self.encoder}, match from {self.threshold:+.3f}", title_justify="left")
        for row in self.rows:
            similarity = "-" if row.similarity is None else f"{row.similarity:+.3f}"
            style = {RIGHT: "green", MISSED: "yellow", WRONG: "red", None: None}[row.verdict]
            verdict = "missed, though most alike" if row.verdict == MISSED and row.first in row.truth else row.verdict
            truth = " and ".join(row.truth) or NOBODY
            table.add_row(row.clip, truth, row.first or "-", similarity, row.decision, verdict or "-", style=style)
        return table

    def summary(self) -> list[str]:
        """The result in a few lines."""
        lines = [
            f"{self.found} of {self.known} people found at rank 1, {self.matched} of them above the threshold; "
            f"{self.stayed_unknown} of {self.strangers} strangers stayed unknown"
        ]
        return lines + ([f"annotated clip: {self.annotated}"] if self.annotated else [])

    def json(self) -> dict[str, Any]:
        """The fields under their own names, each row too."""
        return asdict(self)

    def save(self, path: str | Path) -> Path:
        """Write `json()` to `path`. Raises UserError where it cannot be written."""
        return save_json(path, self.json())


def sample_folder() -> Path:
    """Where the sample clips are, in a checkout as in an installation."""
    return Path(str(files("sample_videos")))


def run_demo(
    samples: str | Path | None = None,
    workdir: str | Path = "demo_out",
    *,
    settings: Settings | None = None,
    progress: Progress = silent,
    pose: PoseEstimator | None = None,
    embedder: Embedder | None = None,
) -> DemoResult:
    """Enrol `samples`/people in a fresh gallery in `workdir`, search `samples`/search, compare with the answers.

    samples: default the clips that come with the program. In `workdir`: `gallery.db`, one clip with the answer drawn on
    it (`annotated.mp4`, and the best frame as `annotated.png`) and `demo.json`; those of an earlier demo are replaced.

    Raises UserError where the samples are not as described above, or what `enroll` and `search` raise.
    """
    samples, workdir, settings = Path(samples or sample_folder()), Path(workdir), settings or Settings()
    answers = read_answers(samples)
    embedder = embedder or own_embedder(settings)
    results: list[SearchResult] = []
    with open_gallery(_fresh(workdir), settings, embedder=embedder) as gallery:
        enrolled = enroll(
            samples / "people", gallery=gallery, settings=settings, progress=progress, pose=pose, embedder=embedder,
            pictures=workdir,
        )  # fmt: skip
        clips = [samples / "search" / clip for clip in answers]
        results += search_each(
            clips, gallery=gallery, settings=settings, progress=progress, pose=pose, embedder=embedder
        )
    result = judge(results, answers, enrolled.names)
    shown = _showpiece(results, result)
    if shown is not None:
        from pipeline.render import annotate_search

        out = workdir / "annotated.mp4"
        annotate_search(
            shown, out, overwrite=True, settings=settings.video, picture=out.with_suffix(".png"), progress=progress
        )
        result = DemoResult(**{**vars(result), "annotated": str(out)})
    result.save(workdir / "demo.json")
    return result


def read_answers(samples: Path) -> dict[str, tuple[str, ...]]:
    """Who is in each clip of `samples`/search. Raises UserError where the folder is not laid out as it should be."""
    path = samples / "answers.yaml"
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(
            f"no sample clips in {samples}: {path.name} cannot be read ({' '.join(str(error).split())})"
        ) from error
    clips = told.get("clips") if isinstance(told, dict) else None
    if not isinstance(clips, dict):
        raise UserError(
            f"{path} must say who is in each clip: `clips:`, and below it lines such as `search/a.mp4: [NAME]`"
        )
    answers = {
        clip.removeprefix(FOLDER): tuple(map(str, who or ()))
        for clip, who in clips.items()
        if isinstance(clip, str) and clip.startswith(FOLDER)
    }
    if not answers:
        raise UserError(f"{path} names no clip in {FOLDER}, so there is nothing to search")
    missing = [clip for clip in answers if not (samples / "search" / clip).is_file()]
    if missing or not (samples / "people").is_dir():
        raise UserError(
            f"{samples} has no {'people' if not missing else 'search/' + missing[0]}: see `reid synthesize`"
        )
    return answers


def judge(results: list[SearchResult], answers: Mapping[str, tuple[str, ...]], enrolled: tuple[str, ...]) -> DemoResult:
    """Compare what was found with who it really is."""
    rows: list[Row] = []
    counts = dict.fromkeys(("known", "found", "matched", "strangers", "stayed_unknown"), 0)
    for result in results:
        clip = Path(result.clip).name
        truth = answers[clip]
        rows += [_row(clip, match, truth, enrolled) for match in result.tracks]
        if not result.tracks:
            rows.append(Row(clip, 0, truth, NOBODY, None, None, MISSED if truth else RIGHT))
        if len(truth) != 1:
            continue
        # Somebody may be several tracks: the one that is seen best speaks for the clip.
        usable = [match for match in result.tracks if match.candidates]
        best = max(usable, key=lambda match: match.quality, default=None)
        if truth[0] in enrolled:
            counts["known"] += 1
            counts["found"] += best is not None and best.candidates[0].name == truth[0]
            counts["matched"] += best is not None and best.name == truth[0]
        else:
            counts["strangers"] += 1
            counts["stayed_unknown"] += bool(usable) and all(match.name is None for match in usable)
    first = results[0]
    return DemoResult(first.encoder, first.threshold, enrolled, tuple(rows), annotated=None, **counts)


def _row(clip: str, match: Match, truth: tuple[str, ...], enrolled: tuple[str, ...]) -> Row:
    first = match.candidates[0] if match.candidates else None
    name, similarity = (None, None) if first is None else (first.name, first.similarity)
    verdict: str | None = WRONG
    if first is None:
        verdict = None if truth else RIGHT
    elif truth and match.name is None:
        verdict = MISSED if set(truth) & set(enrolled) else RIGHT
    elif match.name in truth:
        verdict = RIGHT
    return Row(clip, match.track, truth, match.decision, name, similarity, verdict)


def _fresh(workdir: Path) -> Path:
    """The path of the demo's own gallery, with nothing left of an earlier one."""
    path = workdir / "gallery.db"
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        for old in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
            old.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"cannot write in {workdir}: {error.strerror}; choose another folder with --out") from error
    return path


def _showpiece(results: list[SearchResult], result: DemoResult) -> SearchResult | None:
    """The clip to draw: most people recognised rightly, then most people."""

    def merit(one: SearchResult) -> tuple[int, int]:
        clip = Path(one.clip).name
        right = sum(row.verdict == RIGHT and row.decision == "match" for row in result.rows if row.clip == clip)
        return right, len(one.tracks)

    drawable = [one for one in results if one.extraction is not None and one.tracks]
    return max(drawable, key=merit, default=None)
