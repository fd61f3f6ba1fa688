"""The commands that look after what is kept: `reid gallery …` and `reid models …`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli_call import Call, command
from cli_terminal import DONE, NOTHING_DONE, SOME_FAILED, complain, grid
from pipeline.names import printable

people = typer.Typer(no_args_is_help=True, help="Look after the gallery: who is enrolled, with what.")
models = typer.Typer(no_args_is_help=True, help="Look after the pose model: fetch it, list it, check it.")

Name = Annotated[str, typer.Argument(help="A person in the gallery.")]
Model = Annotated[str | None, typer.Argument(help="lite, full, heavy or a .task file.", show_default=False)]


@command(people, "list")
def gallery_list(call: Call) -> None:
    """Say who is enrolled.

    Example: `reid gallery list`
    """
    with call.manage_gallery() as gallery:
        found = gallery.people()
    rows = [(p.name, p.templates, p.clips, f"{p.quality:.2f}", p.last) for p in found]
    table = grid(str(call.place), ("name", "templates", "clips", "quality", "last added"), rows)
    call.terminal.answer(table, [asdict(person) for person in found])


@command(people, "show")
def gallery_show(call: Call, name: Name) -> None:
    """Say everything that is kept of one person, but for the numbers of the skeletons.

    Example: `reid gallery show Anna`
    """
    with call.manage_gallery() as gallery:
        found = gallery.show(name)
    rows = [
        (t.clip, t.track, f"{t.start:.1f}-{t.end:.1f}", f"{t.frames} at {t.fps:g}/s", f"{t.quality:.2f}", t.added)
        for t in found.templates
    ]
    columns = ("clip", "track", "seconds", "skeletons", "quality", "added")
    call.terminal.answer(grid(found.name, columns, rows), asdict(found))


@command(people, "rename")
def gallery_rename(call: Call, name: Name, new: Annotated[str, typer.Argument(help="The new name.")]) -> None:
    """Give a person another name.

    Example: `reid gallery rename hall-1 Anna`
    """
    with call.manage_gallery() as gallery:
        gallery.rename(name, new)
    call.terminal.answer(f"{name} is called {new} now", {"renamed": name, "to": new})


@command(people, "merge")
def gallery_merge(call: Call, name: Name, into: Annotated[str, typer.Argument(help="The person who stays.")]) -> None:
    """Make two names one: the templates of the first go to the second.

    Example: `reid gallery merge hall-1 Anna`
    """
    with call.manage_gallery() as gallery:
        moved = gallery.merge(name, into)
    call.terminal.answer(
        f"{into} has {_templates(moved)} more, {name} is gone", {"merged": name, "into": into, "templates": moved}
    )


@command(people, "forget")
def gallery_forget(
    call: Call, name: Name, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
) -> int:
    """Delete a person, with every template and skeleton; the file keeps no trace, and its backups are removed.

    Example: `reid gallery forget Anna`
    """
    with call.manage_gallery() as gallery:
        count = len(gallery.show(name).templates)
        if not yes and not _confirm(f"Delete {name} with {_templates(count)} for good?"):
            complain(f"{name} was not forgotten")
            return NOTHING_DONE
        gone = gallery.forget(name)
    text = f"{name} is forgotten, with {_templates(gone.templates)}; the log knows of person {gone.person}"
    call.terminal.answer(text, {"forgotten": name, "templates": gone.templates, "person": gone.person})
    return DONE


@command(people, "export")
def gallery_export(call: Call, out: Annotated[Path, typer.Argument(help="The file to write.")]) -> None:
    """Write the whole gallery to one portable file; as arrays for other programs where its name ends in .npz.

    Example: `reid gallery export people.reid`
    """
    with call.manage_gallery() as gallery:
        gallery.export(out, call.terminal.progress)
    call.terminal.answer(f"wrote {out}", {"exported": str(out)})


@command(people, "import")
def gallery_import(call: Call, file: Annotated[Path, typer.Argument(help="A file that `export` wrote.")]) -> None:
    """Add the people of an exported gallery; clips that are held already are skipped.

    Example: `reid gallery import people.reid`
    """
    from pipeline.gallery import Gallery

    with Gallery.open_for_import(call.place, file, call.settings.gallery.log) as gallery:
        found = gallery.import_(file, call.terminal.progress)
    names = ", ".join(found.people) or "nobody"
    text = f"{_templates(found.templates)} of {names} added, {len(found.skipped)} clips were held already"
    call.terminal.answer(text, asdict(found))


@command(people, "stats")
def gallery_stats(call: Call) -> None:
    """Give the gallery in figures.

    Example: `reid gallery stats --json`
    """
    with call.manage_gallery() as gallery:
        found = gallery.stats()
    encoder = f"{found.encoder.name} ({found.encoder.dim} numbers, {found.encoder.fingerprint[:12]}…)"
    rows = [
        ("people", found.people),
        ("templates", found.templates),
        ("clips", found.clips),
        ("encoder", encoder),
        ("skeletons made as", found.encoder.skeletons),
        ("own thresholds", f"of {found.calibrated} people" if found.calibrated else "none, the encoder's hold"),
        ("size", f"{found.size / 1024:.0f} KiB"),
        ("format", found.format),
    ]
    call.terminal.answer(grid(found.path, ("", ""), rows), asdict(found))


@command(people, "log")
def gallery_log(
    call: Call, last: Annotated[int | None, typer.Option(min=1, help="Entries shown.", show_default=False)] = None
) -> None:
    """Show the audit log: what was done, when, to whom, from which file. Off with `--set gallery.log=false`.

    Example: `reid gallery log --last 20`
    """
    with call.manage_gallery() as gallery:
        found = gallery.log(last)
    rows = [(e.at, e.event, e.name or ("" if e.person is None else f"person {e.person}"), e.file or "") for e in found]
    table = grid(str(call.place), ("when (UTC)", "what", "who", "file"), rows)
    call.terminal.answer(table, [asdict(entry) for entry in found])


@command(people, "check")
def gallery_check(
    call: Call,
    repair: Annotated[
        bool, typer.Option("--repair", help="Save what can be read into a new file in its place.")
    ] = False,
) -> int:
    """Look at every value of the gallery; exit code 0: sound, 1: damaged, 2: cannot be looked at or mended.

    With --repair a damaged gallery is backed up, then mended: 0: nothing was lost, 1: something was.

    Example: `reid gallery check --repair`
    """
    from pipeline import checking, renewing

    found = checking.check(call.place, call.terminal.progress)
    document = {"sound": not found.problems, **asdict(found)}
    if not repair or not found.problems:
        rows = [("state", "damaged" if found.problems else "sound")]
        rows += [(what, str(getattr(found, what))) for what in ("people", "clips", "templates", "format", "encrypted")]
        rows += [("problem", problem) for problem in found.problems]
        rows += [("backup", backup) for backup in found.backups]
        call.terminal.answer(grid(found.path, ("", ""), rows), document)
        return SOME_FAILED if found.problems else DONE
    mended = renewing.repair(call.place, call.terminal.progress)
    rows = [("state", "mended"), ("damaged file", mended.backup)]
    rows += [(what, str(getattr(mended, what))) for what in ("people", "clips", "templates")]
    rows += [("lost", lost) for lost in mended.lost or ("nothing",)]
    call.terminal.answer(grid(mended.path, ("", ""), rows), {**document, "repair": asdict(mended)})
    return SOME_FAILED if mended.lost else DONE


@command(people, "encrypt")
def gallery_encrypt(call: Call) -> None:
    """Encrypt the gallery with the key in REID_GALLERY_KEY or in the file that REID_GALLERY_KEY_FILE names.

    Example: `reid gallery encrypt`, after `openssl rand -hex 32 > reid.key; export REID_GALLERY_KEY_FILE=reid.key`
    """
    from pipeline.renewing import encrypt

    encrypt(call.place, call.terminal.progress)
    call.terminal.answer(f"{call.place} is encrypted now", {"gallery": str(call.place), "encrypted": True})


@command(people, "decrypt")
def gallery_decrypt(call: Call) -> None:
    """Take the gallery's encryption away; needs its key.

    Example: `reid gallery decrypt`
    """
    from pipeline.renewing import decrypt

    decrypt(call.place, call.terminal.progress)
    call.terminal.answer(f"{call.place} is not encrypted now", {"gallery": str(call.place), "encrypted": False})


@command(people, "reindex")
def gallery_reindex(call: Call) -> None:
    """Move the gallery to the encoder in use: its skeletons are embedded again, no footage is needed.

    A gallery whose skeletons an older version made in another way is refused: enrol its clips again.

    Example: `reid gallery reindex --set encoder.weights=runs/kgbd/encoder.safetensors`
    """
    with call.manage_gallery() as gallery:
        count = gallery.reindex(call.embedder, call.terminal.progress)
    text = f"{_templates(count)} embedded again by {call.embedder.name}"
    call.terminal.answer(text, {"templates": count, "encoder": call.embedder.name})


@command(models, "pull", gallery=False)
def models_pull(
    call: Call, name: Model = None, again: Annotated[bool, typer.Option("--again", help="Even if it is there.")] = False
) -> None:
    """Fetch a pose model into the cache, unless it is there.

    Example: `reid models pull full`
    """
    from pipeline.pose_models import pull

    path = pull(name or call.settings.pose.model, progress=call.terminal.progress, again=again)
    call.terminal.answer(str(path), {"path": str(path)})


@command(models, "list", gallery=False)
def models_list(call: Call) -> None:
    """Say which pose models there are, and which are in the cache.

    Example: `reid models list`
    """
    from pipeline.pose_models import list_models

    found = list_models()
    rows = [(m.name, m.state, f"{m.size / 1e6:.1f} MB" if m.size else "", m.path) for m in found]
    table = grid("", ("name", "state", "size", "path"), rows)
    call.terminal.answer(table, [{**asdict(model), "path": str(model.path)} for model in found])


@command(models, "verify", gallery=False)
def models_verify(call: Call, name: Model = None) -> None:
    """Check a pose model against its sha256.

    Example: `reid models verify full`
    """
    from pipeline.pose_models import verify

    model = verify(name or call.settings.pose.model)
    call.terminal.answer(f"{model.path} is sound, sha256 {model.sha256}", {**asdict(model), "path": str(model.path)})


def _templates(count: int) -> str:
    return f"{count} template{'' if count == 1 else 's'}"


def _confirm(question: str) -> bool:
    from rich.console import Console
    from rich.markup import escape
    from rich.prompt import Confirm

    try:
        # typer's own would write a space to stdout, which is for answers.
        return Confirm.ask(escape(printable(question)), console=Console(stderr=True), default=False)
    except EOFError:
        return False
