"""What may be a person's name, and how a clip is called: text that is safe to store, to compare and to print."""

import re
import unicodedata
from functools import lru_cache
from pathlib import PurePath

from pipeline.errors import GalleryError

LONGEST_NAME = 200

UNNAMED = "unnamed"
"""How a clip is called in the gallery that has no name, or none that may be kept."""

# Control, surrogate, line and paragraph separators; and the marks that reverse the text after them on a terminal.
_UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}
_BIDI = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _is_safe(character: str) -> bool:
    return unicodedata.category(character) not in _UNPRINTABLE and character not in _BIDI


def printable(text: str) -> str:
    """`text` with ? for what a terminal would obey rather than show."""
    return "".join(c if _is_safe(c) else "?" for c in text)


def reason_of(error: BaseException, most: int = 120) -> str:
    """What a library's error says, as it may stand in a message: one line of at most so many characters, nothing in it
    that a terminal obeys; the error's type where it says nothing."""
    return printable(" ".join(str(error).split())[:most]) or type(error).__name__


def person_name(text: str) -> str:
    """The form in which a name is stored: Unicode NFC, without spaces around it, so that equal names are equal.

    Raises GalleryError for a name that is empty, longer than 200 characters, or holds control characters.
    """
    name = unicodedata.normalize("NFC", text).strip()
    if not name:
        raise GalleryError("a person's name cannot be empty: give one")
    if not all(map(_is_safe, name)):
        raise GalleryError(f"the name {name[:40]!a} holds characters that cannot be printed: give another")
    if len(name) > LONGEST_NAME:
        raise GalleryError(f"the name “{name[:20]}…” has {len(name)} characters, at most {LONGEST_NAME} are kept")
    return name


def clip_label(clip: str) -> str:
    """How a clip is called in the gallery: a file by its name alone, a stream by its address without the password.

    Neither the folders of the user's machine nor a camera's password belong in a file that is handed on.
    """
    if "://" in clip:
        scheme, _, rest = clip.partition("://")
        # A query may hold a token, and a password may hold any sign: cut before the last @, wherever it stands.
        label = f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"
    else:
        label = PurePath(clip).name or clip
    return printable(label)[:LONGEST_NAME] or UNNAMED


def tells(file: str, name: str) -> bool:
    """Whether a file's name, or a stream's address, holds a person's name as words of its own.

    Capitals and the form of accents do not count, nor what stands between the words of the person's name, if anything
    does; a letter or a digit right before or after it makes it part of another word.
    """
    words = _spaced(name).split()
    told = r"\s*".join(map(re.escape, words))
    return bool(words) and re.search(rf"(?<!\S){told}(?!\S)", _spaced(file)) is not None


def _spaced(text: str) -> str:
    """`text` without capitals, its accents in one form, with spaces for all but letters, digits and pictures."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return "".join(map(_set_apart, folded))


@lru_cache(1024)  # a log is long, and its characters are few
def _set_apart(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Lo", "So"):  # scripts without capitals often have no spaces either: each letter may be a word
        return f" {character} "
    return character if category[0] in "LMN" else " "
