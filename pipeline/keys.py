"""The key of an encrypted gallery: 32 bytes in hexadecimal, from the environment or from a file that it names.

A key and no password: nobody can choose a weak one, and opening a gallery costs no derivation.
"""

import os
import string
from pathlib import Path

from pipeline.errors import GalleryError

KEY_VARIABLE = "REID_GALLERY_KEY"
KEY_FILE_VARIABLE = "REID_GALLERY_KEY_FILE"
_DIGITS = 64


def gallery_key() -> str | None:
    """The key that is set, 64 hexadecimal digits; None where none is. Raises GalleryError where it is no key."""
    key, file = os.environ.get(KEY_VARIABLE, ""), os.environ.get(KEY_FILE_VARIABLE, "")
    if key and file:
        raise GalleryError(f"{KEY_VARIABLE} and {KEY_FILE_VARIABLE} are both set: unset one of them")
    if file:
        return _checked(_read(Path(file).expanduser()), f"the file {file} that {KEY_FILE_VARIABLE} names")
    return _checked(key.strip(), KEY_VARIABLE) if key else None


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(2 * _DIGITS).decode("ascii", "replace").strip()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise GalleryError(f"cannot read the gallery's key from {path}: {reason}; see {KEY_FILE_VARIABLE}") from error


def _checked(key: str, where: str) -> str:
    if len(key) != _DIGITS or not set(key) <= set(string.hexdigits):
        raise GalleryError(f"{where} holds no key: {_DIGITS} hexadecimal digits, as `openssl rand -hex 32` makes them")
    return key.lower()
