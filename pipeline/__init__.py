"""Footage in, names out: what a script can call. What the verbs find offers `table()`, `json()`, `save()`.

    open_gallery(path)       a gallery, made where there is none
    enroll(clips, …)         people of clips -> gallery
    search(clips, …)         people of clips -> ranked names and decisions
    verify(a, b, …)          two clips -> same, different or cannot say, without a gallery
    batch(folder, out, …)    either, for every clip below a folder, with workers and resume
    recalibrate(folder, …)   clips of people of your own -> the gallery's own thresholds
    learn_camera(clips, …)   clips of one camera -> what it makes of everybody, for searches of what it films
    extract(clip, …)         a clip -> the skeletons in it, without a gallery
    extract_all(folder, …)   a folder of clips -> a folder of files of skeletons
    load_settings(path, …)   YAML and overrides -> Settings

Importing this package loads nothing heavy: a name is fetched from its module when it is first used.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.answers import SearchResult
    from pipeline.batch import BatchResult, batch
    from pipeline.cameras import Camera
    from pipeline.config import load_settings
    from pipeline.enroll import enroll
    from pipeline.enrolled import EnrollResult
    from pipeline.errors import UserError
    from pipeline.extract import extract
    from pipeline.extractions import Extractions, extract_all
    from pipeline.gallery import Gallery
    from pipeline.learning import Learned, learn_camera
    from pipeline.opening import open_gallery
    from pipeline.recalibrate import Recalibration, recalibrate
    from pipeline.search import search, search_each
    from pipeline.settings import Settings
    from pipeline.skeletons import Extraction, load_skeletons, save_skeletons
    from pipeline.verify import VerifyResult, verify

_HOMES = {
    "BatchResult": "pipeline.batch",
    "Camera": "pipeline.cameras",
    "EnrollResult": "pipeline.enrolled",
    "Extraction": "pipeline.skeletons",
    "Extractions": "pipeline.extractions",
    "Gallery": "pipeline.gallery",
    "Learned": "pipeline.learning",
    "Recalibration": "pipeline.recalibrate",
    "SearchResult": "pipeline.answers",
    "Settings": "pipeline.settings",
    "UserError": "pipeline.errors",
    "VerifyResult": "pipeline.verify",
    "batch": "pipeline.batch",
    "enroll": "pipeline.enroll",
    "extract": "pipeline.extract",
    "extract_all": "pipeline.extractions",
    "learn_camera": "pipeline.learning",
    "load_settings": "pipeline.config",
    "load_skeletons": "pipeline.skeletons",
    "open_gallery": "pipeline.opening",
    "recalibrate": "pipeline.recalibrate",
    "save_skeletons": "pipeline.skeletons",
    "search": "pipeline.search",
    "search_each": "pipeline.search",
    "verify": "pipeline.verify",
}

__all__ = [
    "BatchResult",
    "Camera",
    "EnrollResult",
    "Extraction",
    "Extractions",
    "Gallery",
    "Learned",
    "Recalibration",
    "SearchResult",
    "Settings",
    "UserError",
    "VerifyResult",
    "batch",
    "enroll",
    "extract",
    "extract_all",
    "learn_camera",
    "load_settings",
    "load_skeletons",
    "open_gallery",
    "recalibrate",
    "save_skeletons",
    "search",
    "search_each",
    "verify",
]


class _Package(ModuleType):
    """Keeps `pipeline.search` the function: the import system would set it to the module of the same name."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pipeline' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
