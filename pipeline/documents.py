"""JSON documents on disk, and the exit code that goes with them."""

import json
import os
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from smsge.files import whole_file


def exit_code(done: int, failed: int) -> int:
    """0 all done, 1 some failed, 2 nothing could be done."""
    return 0 if failed == 0 else 1 if done else 2


def save_json(path: str | Path, document: Any, mode: int = 0o666) -> Path:
    """Write one document, indented, whole or not at all; returns the path. mode: as of `whole_file`. Raises UserError
    where it cannot be written."""
    return save_text(path, json.dumps(document, indent=2) + "\n", mode)


def save_text(path: str | Path, text: str, mode: int = 0o666) -> Path:
    """Replace `path` by `text` in one step, so that a reader or a kill never meets half a file."""
    path = Path(path)
    try:
        with whole_file(path, mode) as file:
            file.write(text.encode("utf-8"))
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; choose a folder that can be written"
        ) from error
    return path


def check_new(path: str | Path, what: str, suffix: str, overwrite: bool, kind: type[UserError]) -> Path:
    """`path`, where `what` may be written to it; to be asked before any long work.

    Raises an error of that kind where it exists already (unless `overwrite`), does not end in `suffix`, or its folder
    cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != suffix:
        raise kind(f"cannot write {path}: the name of {what} must end in {suffix}")
    if path.exists() and not overwrite:
        raise kind(f"{path} exists already: give another name, or --overwrite")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise kind(f"cannot write {path}: {path.parent} is not a folder you may write to")
    return path


def read_json(path: Path) -> Any:
    """The document at `path`, None where there is none or it is damaged."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
