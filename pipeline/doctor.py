"""Is everything in place? Python, packages, system libraries, device, pose model, encoder and gallery, one check each.

A check never raises: what is wrong is its finding, with what to do about it.
"""

import ctypes
import importlib
import importlib.metadata
import platform
import re
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from pipeline.documents import save_json
from pipeline.errors import UserError
from pipeline.places import default_gallery
from pipeline.settings import Settings
from pipeline.values import Progress, silent

OK, WARNING, BROKEN = "ok", "warning", "broken"

LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGLESv2.so.2": "libgles2",
    "libGL.so.1": "libgl1",
    "libglib-2.0.so.0": "libglib2.0-0",
}
"""What MediaPipe and OpenCV load on Linux, and the Debian package that has it."""

MODULES = {
    "faiss-cpu": "faiss",
    "mediapipe": "mediapipe",
    "opencv-contrib-python": "cv2",
    "PyYAML": "yaml",
    "scikit-learn": "sklearn",
}
"""Packages whose module has another name, or is heavy enough to fail on import alone."""

OPENCVS = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")


@dataclass(frozen=True)
class Check:
    """One finding. state: ok, warning (works, but look at it) or broken. mend: what to do; empty where it is ok."""

    name: str
    state: str
    found: str
    mend: str = ""


@dataclass(frozen=True)
class Report:
    """All findings, in the order in which they were made."""

    checks: tuple[Check, ...]

    @property
    def exit_code(self) -> int:
        """0, or 2 where something that is needed is broken."""
        return 2 if any(check.state == BROKEN for check in self.checks) else 0

    def table(self) -> Table:
        """A row a check, for a terminal."""
        table = Table("", "check", "found", "what to do")
        for check in self.checks:
            style = {WARNING: "yellow", BROKEN: "bold red"}.get(check.state)
            table.add_row(check.state, check.name, check.found, check.mend, style=style)
        return table

    def json(self) -> dict[str, Any]:
        """`ok`, and the fields of each check under `checks`."""
        return {"ok": self.exit_code == 0, "checks": [asdict(check) for check in self.checks]}

    def save(self, path: str | Path) -> Path:
        """Write `json()` to `path`. Raises UserError where it cannot be written."""
        return save_json(path, self.json())


def examine(settings: Settings | None = None, gallery: Path | None = None, progress: Progress = silent) -> Report:
    """Check everything that `settings` and the gallery (default: the user's own) need; fetches and changes nothing."""
    settings = settings or Settings()
    place = gallery or default_gallery()
    rooms: dict[str, Callable[[], Iterator[Check]]] = {
        "python": _python,
        "packages": _packages,
        "system libraries": _libraries,
        "device": lambda: _device(settings),
        "pose model": lambda: _pose_model(settings),
        "encoder": lambda: _encoder(settings),
        "gallery": lambda: _gallery(settings, place),
    }
    found: list[Check] = []
    for number, (name, room) in enumerate(rooms.items()):
        progress(f"checking {name}", number, len(rooms))
        try:
            found += room()
        except Exception as error:  # whatever keeps a check from being made is its finding
            mend = "" if isinstance(error, UserError) else "install reid again: pip install '.[cpu]'"
            found.append(Check(name, BROKEN, _line(error), mend))
    progress("checking", len(rooms), len(rooms))
    return Report(tuple(found))


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, UserError) else f"{type(error).__name__}: {text}"


def _python() -> Iterator[Check]:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    old = sys.version_info < (3, 11)
    yield Check("python", BROKEN if old else OK, found, "use Python 3.11 or newer" if old else "")


def _packages() -> Iterator[Check]:
    try:
        yield Check("reid", OK, importlib.metadata.version("reid"))
        needed = importlib.metadata.requires("reid") or []
    except importlib.metadata.PackageNotFoundError:
        yield Check("reid", WARNING, "runs from a folder, not installed", "make install, or pip install '.[cpu]'")
        needed = []
    for requirement in needed:
        match = re.match(r"([\w.-]+)\s*(?:([>=]=)\s*([\d.]+))?[^;]*$", requirement)
        if match:  # what belongs to an extra has a marker behind a semicolon and is looked at elsewhere
            yield _package(match[1], match[2] or "", match[3] or "")
    yield from _one_of("opencv", OPENCVS, "pip uninstall all of them, then pip install opencv-contrib-python")
    yield from _one_of("faiss", ("faiss-cpu", "faiss-gpu"), "pip uninstall both, then install reid[cpu] or reid[gpu]")


def _package(name: str, relation: str, needed: str) -> Check:
    mend = f"pip install '{name}{relation}{needed}'"
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Check(name, BROKEN, "not installed", mend)
    if needed:
        have, want = _numbers(version), _numbers(needed)
        if (have < want) if relation == ">=" else (have != want):
            return Check(name, BROKEN, f"{version}, {relation}{needed} is needed", mend)
    return _importable(name, version, mend)


def _importable(name: str, version: str, mend: str) -> Check:
    try:
        importlib.import_module(MODULES.get(name, name))
    except (ImportError, OSError) as error:
        return Check(name, BROKEN, f"{version} does not load: {_line(error)}", mend)
    return Check(name, OK, version)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3])


def _one_of(what: str, names: tuple[str, ...], mend: str) -> Iterator[Check]:
    """Packages that overwrite one another's files: exactly one may be there."""
    there = {}
    for name in names:
        try:
            there[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    shown = " and ".join(f"{name} {version}" for name, version in there.items())
    if len(there) > 1:
        yield Check(what, BROKEN, f"{shown} are installed together", mend)
    elif not there:
        yield Check(what, BROKEN, f"none of {', '.join(names)} is installed", mend)
    elif what == "faiss":
        yield _importable(*next(iter(there.items())), mend)


def _libraries() -> Iterator[Check]:
    if not sys.platform.startswith("linux"):
        return
    missing = []
    for library, package in LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(package)
    if missing:
        yield Check(
            "system libraries", BROKEN, f"missing: {', '.join(missing)}", f"apt-get install {' '.join(missing)}"
        )
    else:
        yield Check("system libraries", OK, ", ".join(LIBRARIES.values()))


def _device(settings: Settings) -> Iterator[Check]:
    import torch

    wanted = settings.encoder.device
    if torch.cuda.is_available():
        yield Check("device", OK, f"cuda: {torch.cuda.get_device_name()}; encoder.device is {wanted}")
    elif wanted == "cuda":
        yield Check("device", BROKEN, "encoder.device is cuda, and there is none", "--set encoder.device=auto")
    else:
        yield Check("device", OK, f"cpu, {torch.get_num_threads()} threads; encoder.device is {wanted}")


def _pose_model(settings: Settings) -> Iterator[Check]:
    from pipeline.pose_models import NAMES, list_models, verify

    name = settings.pose.model
    held = next((model for model in list_models() if model.name == name), None)
    if name in NAMES and held is not None and held.state == "missing":
        mend = f"fetched when first needed; to do it now: reid models pull {name}"
        yield Check("pose model", WARNING, f"{name} is not in {held.path.parent}", mend)
        return
    model = verify(name)
    yield Check("pose model", OK, f"{model.path}, sha256 {model.sha256[:12]}…")


def _encoder(settings: Settings) -> Iterator[Check]:
    from pipeline.probes import own_embedder

    encoder = own_embedder(settings)
    found = f"{encoder.name}, {encoder.dim} numbers, threshold {encoder.threshold:+.3f}"
    yield Check("encoder", OK, f"{found}, fingerprint {encoder.fingerprint[:12]}…")


def _gallery(settings: Settings, place: Path) -> Iterator[Check]:
    if not place.exists():
        yield Check("gallery", OK, f"none yet at {place}")
        return
    from pipeline.embed import load_embedder
    from pipeline.gallery import Gallery
    from pipeline.keeping import ENROL_AGAIN
    from pipeline.templates import encoder_id

    with Gallery.open(place, create=False) as gallery:
        problems, stats = gallery.check(), gallery.stats()
    if problems:
        mend = "reid gallery check --repair"
        yield Check("gallery", BROKEN, f"{place}: {problems[0]}", mend)
    else:
        yield Check("gallery", OK, f"{place}: whole, {stats.people} people, {stats.templates} templates")
    own, held = encoder_id(load_embedder(settings.encoder)), stats.encoder
    if own.fingerprint != held.fingerprint:
        found = f"{place} belongs to another encoder, {held.name}"
        mend = "reid gallery reindex" if own.skeletons == held.skeletons else ENROL_AGAIN
        yield Check("gallery's encoder", BROKEN, found, mend)
    elif own.skeletons != held.skeletons:
        found = f"{place} was made by a reid that made skeletons in another way ({held.skeletons}, now {own.skeletons})"
        yield Check("gallery's skeletons", WARNING, found, "enrol the clips again into a new gallery")
    mode = stat.S_IMODE(place.stat().st_mode)
    if mode & 0o077:
        yield Check("gallery's mode", WARNING, f"{place} can be read by others (mode {mode:04o})", f"chmod 600 {place}")
