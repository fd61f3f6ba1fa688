"""The commands that fit reid to the place it is used in: what its people ask for, and what its cameras do."""

from pathlib import Path
from typing import Annotated

import typer

from cli_call import Call, Far, command
from cli_terminal import DONE

place = typer.Typer()


@command(place, footage=True)
def calibrate(
    call: Call,
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="FOLDER", help="Folders of clips, named after people.", show_default=False),
    ] = None,
    far: Far = None,
    reset: Annotated[bool, typer.Option("--reset", help="Go back to the encoder's own thresholds.")] = False,
) -> int:
    """Fit the gallery's thresholds to your own people and cameras: 8 people or more, 2 clips or more of each.

    Example: `reid calibrate people/`, with people/NAME/\\*.mp4
    """
    if (folder is None) != reset:
        raise typer.BadParameter("give a folder of people's folders, or --reset", param_hint="FOLDER")
    if folder is None:
        with call.manage_gallery() as gallery:
            dropped = gallery.uncalibrate()
        text = f"{call.place} has the encoder's thresholds {'again' if dropped else 'as before'}"
        call.terminal.answer(text, {"gallery": str(call.place), "reset": dropped})
        return DONE
    from pipeline import recalibrate

    with call.open_gallery(create=True) as gallery:
        result = recalibrate(
            folder,
            gallery=gallery,
            far=far,
            settings=call.settings,
            progress=call.terminal.progress,
            embedder=call.embedder,
        )
    for clip, reason in result.left_out:
        call.terminal.warn(f"{clip} is left out: {reason}")
    call.terminal.answer(result.table(), result.json())
    return result.exit_code


@command(place, gallery=False, footage=True)
def camera(
    call: Call,
    clips: Annotated[
        list[str], typer.Argument(metavar="CLIP", help="Clips, .npz skeletons or folders, all of one camera.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file that searches are given as --camera.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Even if FILE exists.")] = False,
) -> int:
    """Learn what a camera makes of everybody, from clips in which many different people pass, unnamed.

    Example: `reid camera corridor/ --out corridor.json`, then `reid search clip.mp4 --camera corridor.json`
    """
    from pipeline import learn_camera
    from pipeline.cameras import check_out

    check_out(out, overwrite)
    learned = learn_camera(clips, settings=call.settings, progress=call.terminal.progress, embedder=call.embedder)
    learned.save(out)
    for clip, reason in learned.left_out:
        call.terminal.warn(f"{clip} is left out: {reason}")
    if learned.note:
        call.terminal.warn(learned.note)
    call.terminal.answer(learned.table(), {"out": str(out), **learned.json()})
    return learned.exit_code
