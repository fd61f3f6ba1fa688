"""The command `reid`: says what the user can do; each command parses, calls one function of the pipeline and prints.

Nothing heavy is imported here, so that `reid --help` is quick: a command fetches its function when it runs.
"""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli_call import Call, Far, command
from cli_gallery import models, people
from cli_place import place
from cli_research import research
from cli_terminal import DONE, NOTHING_DONE, SOME_FAILED, Commands, complain, grid, save_svg

app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="markdown")
app.add_typer(place)
app.add_typer(research)
app.add_typer(people, name="gallery")
app.add_typer(models, name="models")


class Where(StrEnum):
    """Where the workers of a batch run are."""

    local = "local"
    ray = "ray"


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"reid {version('reid')}")
        except PackageNotFoundError:
            typer.echo("reid, not installed")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which.")] = False,
    debug: Annotated[bool, typer.Option("--debug", envvar="REID_DEBUG", help="Show tracebacks.")] = False,
) -> None:
    """Find people again in camera footage by how they are built and how they walk.

    First steps: `reid demo`, then `reid enroll anna.mp4 --name Anna` and `reid search corridor.mp4`.
    """
    if debug:
        os.environ["REID_DEBUG"] = "1"


Clips = Annotated[list[str], typer.Argument(metavar="CLIP", help="Clips, folders, .npz skeletons, webcams, URLs.")]
Track = Annotated[int | None, typer.Option(min=1, help="Which of several people.", show_default=False)]
Top = Annotated[int | None, typer.Option(min=1, help="Candidates shown for each track.", show_default=False)]
Threshold = Annotated[
    float | None, typer.Option(min=-1, max=1, help="Similarity that makes a match.", show_default=False)
]
Rerank = Annotated[
    bool | None,
    typer.Option("--rerank/--no-rerank", help="Order candidates by their neighbours too.", show_default=False),
]
CameraFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE.json", help="What filmed the clips, of `reid camera`.", show_default=False),
]
Annotate = Annotated[Path | None, typer.Option(metavar="OUT.mp4", help="Also draw what was found on the clip.")]


@command(app, footage=True)
def enroll(
    call: Call,
    clips: Clips,
    name: Annotated[str | None, typer.Option(help="Who it is; default: the clip's name.", show_default=False)] = None,
    track: Track = None,
    again: Annotated[bool, typer.Option("--again", help="Even if the gallery holds this clip.")] = False,
    pictures: Annotated[Path, typer.Option(help="Folder for pictures of who is who.")] = Path("."),
) -> int:
    """Add the people in clips to the gallery.

    Example: `reid enroll monday.mp4 friday.mp4 --name Anna`, or `reid enroll people/` for people/NAME/\\*.mp4.
    """
    from pipeline import enroll

    with call.open_gallery(create=True) as gallery:
        result = enroll(
            clips,
            gallery=gallery,
            name=name,
            settings=call.settings,
            track=track,
            again=again,
            pictures=pictures,
            progress=call.terminal.progress,
            embedder=call.embedder,
        )
    for clip in result.clips:
        for note in clip.notes:
            call.terminal.warn(note)
        if clip.picture:
            call.terminal.remark(f"who is who: {clip.picture}; `reid gallery rename` gives them their names")
    for error in dict.fromkeys(clip.error for clip in result.clips if clip.error):
        complain(error)
    call.terminal.answer(result.table(), result.json())
    return result.exit_code


@command(app, footage=True)
def search(
    call: Call,
    clips: Clips,
    top: Top = None,
    threshold: Threshold = None,
    far: Far = None,
    rerank: Rerank = None,
    camera: CameraFile = None,
    annotate: Annotate = None,
) -> int:
    """Say who is in clips: for every track the ranked names and a decision.

    Example: `reid search corridor.mp4 --top 3 --annotate corridor_named.mp4`
    """
    from pipeline import UserError, search_each

    if annotate is not None:
        if len(clips) != 1 or Path(clips[0]).is_dir():
            raise typer.BadParameter("draws on one clip: give one", param_hint="--annotate")
        from pipeline.render import check_out

        check_out(clips[0], annotate)
    done = failed = 0
    with call.open_gallery() as gallery:
        for result in search_each(
            clips,
            gallery=gallery,
            settings=call.settings,
            top=top,
            threshold=threshold,
            far=far,
            rerank=rerank,
            camera=camera,
            progress=call.terminal.progress,
            embedder=call.embedder,
        ):
            for line in (*result.warnings, result.note, result.error):
                if line:
                    call.terminal.warn(line)
            done, failed = (done + 1, failed) if result.error is None else (done, failed + 1)
            call.terminal.answer(result.table(), result.json())
            if annotate is not None and result.extraction is not None:
                from pipeline.render import annotate_search

                try:
                    annotate_search(result, annotate, settings=call.settings.video, progress=call.terminal.progress)
                except UserError as error:  # the answer has been given, and stands
                    complain(str(error))
                    return SOME_FAILED
                call.terminal.remark(f"wrote {annotate}")
    return DONE if not failed else SOME_FAILED if done else NOTHING_DONE


@command(app, gallery=False, footage=True)
def verify(
    call: Call,
    a: Annotated[str, typer.Argument(metavar="A", help="A clip, .npz skeletons, a webcam's number or a URL.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    track_a: Track = None,
    track_b: Track = None,
    far: Far = None,
    frr: Annotated[
        float, typer.Option(min=1e-4, max=1, metavar="RATE", help="False reject rate: people called different.")
    ] = 0.05,
    gallery: Annotated[
        Path | None, typer.Option("--gallery", help="A gallery whose own calibration holds.", show_default=False)
    ] = None,
    camera_a: CameraFile = None,
    camera_b: CameraFile = None,
) -> None:
    """Say whether two clips show the same person: same, different or cannot say. Nobody need be enrolled.

    Example: `reid verify monday.mp4 friday.mp4`
    """
    from contextlib import nullcontext

    from pipeline import open_gallery, verify

    opened = nullcontext() if gallery is None else open_gallery(gallery, create=False, embedder=call.embedder)
    with opened as own:
        result = verify(
            a,
            b,
            track_a=track_a,
            track_b=track_b,
            far=far,
            frr=frr,
            gallery=own,
            camera_a=camera_a,
            camera_b=camera_b,
            settings=call.settings,
            progress=call.terminal.progress,
            embedder=call.embedder,
        )
    call.terminal.answer(result.table(), result.json())


@command(app, footage=True)
def batch(
    call: Call,
    folder: Annotated[Path, typer.Argument(help="Every clip below it.")],
    out: Annotated[Path, typer.Option(help="Folder for the results; a second run goes on there.")],
    enroll: Annotated[bool, typer.Option("--enroll/--search", help="Add the people, or look for them.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes that read clips.", show_default=False)] = None,
    engine: Annotated[Where, typer.Option(help="Where these are: on this machine, or on a Ray cluster.")] = Where.local,
    address: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Of the Ray cluster; default: the one here.", show_default=False),
    ] = None,
    top: Top = None,
    threshold: Threshold = None,
    far: Far = None,
    camera: CameraFile = None,
) -> int:
    """Enrol from, or search in, every clip below a folder; resumes where it stopped.

    Example: `reid batch footage/ --out results/ --workers 2`
    """
    from pipeline import batch
    from pipeline.identify import with_search

    cluster = None
    if address is not None and engine is not Where.ray:
        raise typer.BadParameter("is that of a Ray cluster: add --engine ray", param_hint="--address")
    if engine is Where.ray:
        from pipeline.ray_engine import RayEngine

        cluster = RayEngine(call.settings, address)
    with call.open_gallery(create=enroll) as gallery:
        result = batch(
            folder,
            out,
            gallery=gallery,
            mode="enroll" if enroll else "search",
            workers=workers,
            settings=with_search(call.settings, top, threshold, far, camera=camera),
            progress=call.terminal.progress,
            embedder=call.embedder,
            engine=cluster,
        )
    call.terminal.answer(result.table(), result.json())
    if result.note:
        call.terminal.remark(result.note)
    return result.exit_code


@command(app, gallery=False, footage=True)
def extract(
    call: Call,
    clip: Annotated[str, typer.Argument(metavar="CLIP", help="A clip, a folder of clips, a webcam's number or a URL.")],
    out: Annotated[Path, typer.Option(help="The file of skeletons, .npz; of a folder, the folder for them.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Even what exists.")] = False,
) -> int:
    """Save the landmarks of everybody in a clip, or in every clip of a folder; the file is taken wherever a clip is.

    Example: `reid extract corridor.mp4 --out corridor.npz`, or `reid extract people/ --out skeletons/`
    """
    from pipeline import extract, save_skeletons
    from pipeline.extractions import extract_all, seen
    from pipeline.skeletons import check_out
    from pipeline.video import is_stream

    if Path(clip).is_dir() and not is_stream(clip):
        every = extract_all(clip, out, settings=call.settings, overwrite=overwrite, progress=call.terminal.progress)
        for line in every.remarks():
            call.terminal.warn(line)
        call.terminal.answer(every.table(), every.json())
        return every.exit_code
    check_out(out, overwrite)
    extraction = extract(clip, call.settings, progress=call.terminal.progress)
    save_skeletons(out, extraction, overwrite=overwrite)
    for warning in extraction.warnings:
        call.terminal.warn(warning)
    rows = [(t.id, f"{t.start:.1f}-{t.end:.1f}", len(t)) for t in extraction.tracks]
    document = {"clip": extraction.source, "out": str(out), **seen(extraction)}
    call.terminal.answer(grid(f"{out}: {extraction.source}", ("track", "seconds", "frames"), rows), document)
    return DONE


@command(app)
def doctor(call: Call) -> int:
    """Check what is installed, which device and model are used, and whether the gallery is sound.

    Example: `reid doctor --json`
    """
    from pipeline.doctor import examine

    report = examine(call.settings, call.gallery, call.terminal.progress)
    call.terminal.answer(report.table(), report.json())
    return report.exit_code


@command(app, gallery=False)
def demo(
    call: Call,
    out: Annotated[Path, typer.Option(help="Folder for the gallery and the pictures of the demo.")] = Path("demo_out"),
    samples: Annotated[Path | None, typer.Option(help="Other clips, laid out alike.", show_default=False)] = None,
) -> int:
    """Enrol the sample people in a gallery of their own, find them in other clips, and compare with the truth.

    Example: `reid demo --out demo_out`
    """
    from pipeline.demo import run_demo

    result = run_demo(samples, out, settings=call.settings, progress=call.terminal.progress, embedder=call.embedder)
    save_svg(result.table(), out / "search.svg", "reid demo")
    call.terminal.answer(result.table(), result.json())
    for line in result.summary():
        call.terminal.remark(line)
    return DONE


def main() -> None:
    """The command `reid`."""
    app(prog_name="reid")


if __name__ == "__main__":
    main()
