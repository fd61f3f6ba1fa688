"""Where the pose model comes from: a path the user gives, the cache, Google's published bundle, or a rebuilt one.

A bundle in the cache is `pose_landmarker_NAME.task` with a JSON note beside it (sha256, size, origin); it is checked
against the note each time it is used. Downloads are bounded in size and time, and files appear whole or not at all,
so that two processes may fetch at once.
"""

import hashlib
import http.client
import io
import json
import time
import urllib.request
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from pipeline import pose_bundle
from pipeline.errors import PoseModelError
from pipeline.places import cache_dir
from pipeline.values import Progress, silent
from smsge.files import whole_file

NAMES = ("lite", "full", "heavy")
"""The sizes in which the Pose Landmarker is published; "full" can also be rebuilt without its host."""

PUBLISHED = (
    "https://storage.googleapis.com/mediapipe-models/pose_landmarker/"
    "pose_landmarker_{name}/float16/latest/pose_landmarker_{name}.task"
)

REBUILT_SHA256 = "91a0528c354ed4ebc227718597379b7fb38f50b42f3d482e3684c7e19838445d"
"""What `pose_bundle` makes of the 0.10.21 wheel with the flatbuffers release that MediaPipe 1.2.2 requires."""

_CONNECT_TIMEOUT = 10.0
_DOWNLOAD_TIMEOUT = 300.0
_LARGEST = 64 << 20


@dataclass(frozen=True)
class PoseModel:
    """A model in the cache, or the place where it would be. state: "ready", "missing" or "damaged"; origin: where it
    came from; size in bytes."""

    name: str
    path: Path
    state: str
    sha256: str = ""
    size: int = 0
    origin: str = ""


def resolve_model(name_or_path: str = "full", progress: Progress = silent) -> Path:
    """The file of a pose model: a path as it is, a name from the cache, fetched first where it is not there.

    Raises `PoseModelError` when the path is not a bundle, or when the model can be had from nowhere.
    """
    if name_or_path not in NAMES:
        return _given(name_or_path)
    return pull(name_or_path, progress)


def pull(name: str = "full", progress: Progress = silent, again: bool = False) -> Path:
    """Fetch a model into the cache unless a sound one is there; `again` fetches it anyway."""
    _check_name(name)
    held = _inspect(name)
    if held.state == "ready" and not again:
        return held.path
    tried: list[str] = []
    bundle, origin = _fetch(name, progress, tried)
    note = {"name": name, "sha256": hashlib.sha256(bundle).hexdigest(), "size": len(bundle), "origin": origin}
    try:
        # The note first: a kill in between leaves a note without its file, which counts as damaged and is fetched.
        held.path.parent.mkdir(parents=True, exist_ok=True)
        for path, data in ((_note_of(held.path), json.dumps(note, indent=1).encode()), (held.path, bundle)):
            with whole_file(path) as file:
                file.write(data)
    except OSError as error:
        raise PoseModelError(
            f"the pose model cannot be kept in {held.path.parent} ({error.strerror}): set REID_CACHE to a directory "
            "that can be written"
        ) from error
    progress(f"pose model {name}", len(bundle), len(bundle))
    return held.path


def list_models() -> list[PoseModel]:
    """The published sizes, each with its place in the cache and whether it is there and sound."""
    return [_inspect(name) for name in NAMES]


def verify(name_or_path: str = "full") -> PoseModel:
    """Check a model by its sha256 (a file of the user's own: that it is a bundle); raises `PoseModelError`."""
    if name_or_path not in NAMES:
        path = _given(name_or_path)
        data = path.read_bytes()
        return PoseModel(path.stem, path, "ready", hashlib.sha256(data).hexdigest(), len(data), "given")
    model = _inspect(name_or_path)
    if model.state == "missing":
        raise PoseModelError(
            f"pose model {model.name} is not in {model.path.parent}: run `reid models pull {model.name}`"
        )
    if model.state == "damaged":
        raise PoseModelError(
            f"{model.path} does not match its sha256: run `reid models pull {model.name}` to fetch it again"
        )
    return model


def _given(path_text: str) -> Path:
    path = Path(path_text).expanduser()
    if not path.is_file():
        names = ", ".join(NAMES)
        raise PoseModelError(f"no pose model {path_text}: give one of {names}, or the path of a .task file")
    try:
        size = path.stat().st_size
        fault = _fault(path.read_bytes()) if size <= _LARGEST else f"it is larger than {_LARGEST >> 20} MB"
    except OSError as error:
        raise PoseModelError(f"pose model {path} cannot be read ({error.strerror})") from error
    if fault:
        raise PoseModelError(f"{path} is not a Pose Landmarker bundle ({fault}): give a .task file, or the name full")
    return path


def _check_name(name: str) -> None:
    if name not in NAMES:
        raise PoseModelError(f"no pose model {name}: the published ones are {', '.join(NAMES)}")


def _inspect(name: str) -> PoseModel:
    path = cache_dir() / "models" / f"pose_landmarker_{name}.task"
    try:
        data = path.read_bytes()
    except OSError:
        return PoseModel(name, path, "missing")
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        note = json.loads(_note_of(path).read_text(encoding="utf-8"))
        expected, origin = str(note["sha256"]), str(note["origin"])
    except (OSError, ValueError, KeyError, TypeError):
        # Without a note, only the bundle that is known by heart is believed.
        expected, origin = REBUILT_SHA256, pose_bundle.REQUIREMENT
    state = "ready" if sha256 == expected else "damaged"
    return PoseModel(name, path, state, sha256, len(data), origin)


def _note_of(path: Path) -> Path:
    return path.with_suffix(".json")


def _fetch(name: str, progress: Progress, tried: list[str]) -> tuple[bytes, str]:
    """The bundle and where it came from; collects in `tried` why each place failed."""
    url = PUBLISHED.format(name=name)
    try:
        return _download(url, f"pose model {name}", progress), url
    except (OSError, http.client.HTTPException, PoseModelError) as error:
        reason = getattr(error, "reason", None) or error
        tried.append(f"{url} ({reason})")
    if name == "full":
        try:
            return pose_bundle.rebuild(progress), pose_bundle.REQUIREMENT
        except (OSError, PoseModelError) as error:
            tried.append(str(error))
    advice = (
        f"run `reid models pull {name}` on a connected machine and copy its cache, or set pose.model to a .task file"
    )
    if name != "full":
        advice += ", or use the model full, which can be had without that host"
    raise PoseModelError(f"pose model {name} cannot be had; tried " + " and ".join(tried) + f": {advice}")


def _download(url: str, what: str, progress: Progress) -> bytes:
    data = io.BytesIO()
    deadline = time.monotonic() + _DOWNLOAD_TIMEOUT
    with urllib.request.urlopen(url, timeout=_CONNECT_TIMEOUT) as response:
        declared = response.headers.get("Content-Length")
        total = int(declared) if declared and declared.isdigit() else None
        while chunk := response.read(1 << 16):
            data.write(chunk)
            progress(what, data.tell(), total)
            if data.tell() > _LARGEST:
                raise PoseModelError(f"more than {_LARGEST >> 20} MB came")
            if time.monotonic() > deadline:
                raise PoseModelError(f"not done within {_DOWNLOAD_TIMEOUT:.0f} s")
    if total is not None and data.tell() != total:
        raise PoseModelError(f"{data.tell()} of {total} bytes came")
    bundle = data.getvalue()
    if fault := _fault(bundle):
        raise PoseModelError(f"what came is not a bundle: {fault}")
    return bundle


def _fault(bundle: bytes) -> str:
    """What keeps these bytes from being a Pose Landmarker bundle; empty for a sound one."""
    try:
        with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
            missing = sorted(set(pose_bundle.MEMBERS) - set(archive.namelist()))
            if missing:
                return f"without {missing[0]}"
            damaged = archive.testzip()
            return f"{damaged} in it is damaged" if damaged else ""
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError):  # the last: packed or locked in a way unknown
        return "not a zip"
