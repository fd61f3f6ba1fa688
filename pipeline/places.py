"""Where things are kept: the user's data and cache directories, and the gallery that is used when none is named."""

import os
from pathlib import Path

import platformdirs

APPLICATION = "reid"
GALLERY_VARIABLE = "REID_GALLERY"
CACHE_VARIABLE = "REID_CACHE"


def data_dir() -> Path:
    """Where galleries are kept by default (~/.local/share/reid on Linux); made by `private_dir` when first needed."""
    return Path(platformdirs.user_data_dir(APPLICATION, appauthor=False))


def cache_dir() -> Path:
    """Where what can be fetched again is kept: the environment variable REID_CACHE, else ~/.cache/reid on Linux."""
    named = os.environ.get(CACHE_VARIABLE, "")
    return Path(named).expanduser() if named else Path(platformdirs.user_cache_dir(APPLICATION, appauthor=False))


def private_dir(path: Path) -> Path:
    """Make a directory that only its owner can enter (mode 0700), if it is not there yet, and return it.

    A directory that exists keeps the mode its owner gave it. Raises OSError where it cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def default_gallery() -> Path:
    """The gallery used when none is named: the environment variable REID_GALLERY, else one in `data_dir`."""
    named = os.environ.get(GALLERY_VARIABLE, "")
    return Path(named).expanduser() if named else data_dir() / "gallery.db"
