"""The full pose model rebuilt from the official MediaPipe 0.10.21 wheel, where only a package registry is reached.

The wheel holds the two networks of the published bundle, but the landmark network there lacks the TFLITE_METADATA
buffer that MediaPipe's Tasks API asks for. It is added with the schema modules that MediaPipe itself ships, and both
networks go uncompressed into one zip, aligned so that they can be used from the mapped file. The same wheel always
gives the same bytes. MediaPipe is imported when a bundle is built, not before.
"""

import hashlib
import io
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import PoseModelError
from pipeline.values import Progress, silent

REQUIREMENT = "mediapipe==0.10.21"
"""The last release whose wheel carries the full model; it is unzipped, never installed."""

MEMBERS = {
    "pose_detector.tflite": (
        "mediapipe/modules/pose_detection/pose_detection.tflite",
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    ),
    "pose_landmarks_detector.tflite": (
        "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    ),
}
"""Member of the bundle -> (its path in the wheel, its sha256 there)."""

_ALIGNMENT = 16  # tflite buffers; the bundle itself needs 4
_LARGEST_MEMBER = 64 << 20
_LARGEST_WHEEL = 128 << 20


def rebuild(progress: Progress = silent, timeout: float = 600.0) -> bytes:
    """Download the wheel with pip and build the bundle; `PoseModelError` says what could not be had."""
    with tempfile.TemporaryDirectory(prefix="reid-model-") as folder:
        wheel = _download_wheel(Path(folder), progress, timeout)
        return bundle_from_wheel(wheel)


def bundle_from_wheel(wheel: Path) -> bytes:
    """The .task bundle from a MediaPipe 0.10.21 wheel on disk; the networks' checksums are checked."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            parts = {name: _member(archive, *where) for name, where in MEMBERS.items()}
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise PoseModelError(f"{wheel.name} is not a whole MediaPipe wheel ({error}); download it again") from error
    landmarks = "pose_landmarks_detector.tflite"
    parts[landmarks] = add_metadata(parts[landmarks])
    return pack(parts)


def _member(archive: zipfile.ZipFile, path: str, sha256: str) -> bytes:
    if archive.getinfo(path).file_size > _LARGEST_MEMBER:
        raise PoseModelError(f"{path} in the MediaPipe wheel is larger than it can be; download the wheel again")
    data = archive.read(path)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise PoseModelError(f"{path} in the MediaPipe wheel is not the published network: its sha256 differs")
    return data


def add_metadata(network: bytes) -> bytes:
    """The landmark network with a TFLITE_METADATA buffer: RGB input scaled by mean 0, std 255; five outputs."""
    import flatbuffers  # type: ignore[import-untyped]
    from mediapipe.tasks.metadata import metadata_schema_py_generated as meta
    from mediapipe.tasks.metadata import schema_py_generated as schema

    class AlignedBuilder(flatbuffers.Builder):  # type: ignore[misc, unused-ignore]
        """Keeps the weights on the 16 bytes that the tflite schema demands and its Python module forgets."""

        def CreateNumpyVector(self, x: np.ndarray) -> Any:  # noqa: N802
            self.Prep(_ALIGNMENT, x.nbytes)
            return super().CreateNumpyVector(x)

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(network, 0))
    graph = model.subgraphs[0]

    def describe(tensor: int, content: Any, units: list[Any]) -> Any:
        kind = meta.ContentT(contentProperties=content, contentPropertiesType=_content_type(meta, content))
        return meta.TensorMetadataT(name=graph.tensors[tensor].name.decode(), content=kind, processUnits=units)

    scale = meta.ProcessUnitT(
        optionsType=meta.ProcessUnitOptions.NormalizationOptions,
        options=meta.NormalizationOptionsT(mean=[0.0], std=[255.0]),
    )
    picture = meta.ImagePropertiesT(colorSpace=meta.ColorSpaceType.RGB)
    described = meta.ModelMetadataT(
        name="Pose landmarks",
        subgraphMetadata=[
            meta.SubGraphMetadataT(
                inputTensorMetadata=[describe(tensor, picture, [scale]) for tensor in graph.inputs],
                outputTensorMetadata=[describe(tensor, meta.FeaturePropertiesT(), []) for tensor in graph.outputs],
            )
        ],
        minParserVersion="1.0.0",
    )
    builder = flatbuffers.Builder(1024)
    builder.Finish(described.Pack(builder), b"M001")
    buffer = schema.BufferT(data=np.frombuffer(bytes(builder.Output()), np.uint8))
    model.metadata = [*(model.metadata or []), schema.MetadataT(name="TFLITE_METADATA", buffer=len(model.buffers))]
    model.buffers.append(buffer)

    builder = AlignedBuilder(len(network) + (1 << 20))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _content_type(meta: Any, content: Any) -> int:
    image = isinstance(content, meta.ImagePropertiesT)
    return int(meta.ContentProperties.ImageProperties if image else meta.ContentProperties.FeatureProperties)


def pack(parts: dict[str, bytes]) -> bytes:
    """One zip of the parts, stored as they are, the data of each on a 16-byte boundary; no dates, so no surprises."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, data in parts.items():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # the same bytes on every system
            start = target.tell() + 30 + len(name.encode())
            # An extra field is at least 4 bytes (id, length); an unknown id is skipped by every reader.
            filler = 4 + (-(start + 4)) % _ALIGNMENT
            entry.extra = (0xD935).to_bytes(2, "little") + (filler - 4).to_bytes(2, "little") + bytes(filler - 4)
            archive.writestr(entry, data)
    return target.getvalue()


def _download_wheel(folder: Path, progress: Progress, timeout: float) -> Path:
    """`pip download` into `folder`, bounded in time and size."""
    wheels, scratch = folder / "wheel", folder / "tmp"
    wheels.mkdir()
    scratch.mkdir()
    # The networks are the same in every platform's wheel, so one that surely exists is asked for by name.
    command = [
        *(sys.executable, "-m", "pip", "download", REQUIREMENT, "--no-deps", "--only-binary=:all:"),
        *("--python-version", "3.11", "--implementation", "cp", "--platform", "manylinux_2_28_x86_64"),
        *("--dest", str(wheels), "--no-cache-dir", "--disable-pip-version-check", "--quiet"),
        *("--timeout", "15", "--retries", "1", "--no-input"),
    ]
    log = folder / "pip.log"
    with log.open("wb") as output:
        pip = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, "TMPDIR": str(scratch)}
        )
        try:
            _watch(pip, folder, progress, timeout)
        finally:
            if pip.poll() is None:
                pip.kill()
            pip.wait()
    found = sorted(wheels.glob("*.whl"))
    if pip.returncode != 0 or not found:
        said = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
        errors = [line for line in said if line.startswith("ERROR")] or said[-1:] or [f"exit code {pip.returncode}"]
        raise PoseModelError(f"pip download {REQUIREMENT}: {errors[0][:200]}")
    return found[0]


def _watch(pip: "subprocess.Popen[bytes]", folder: Path, progress: Progress, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while pip.poll() is None:
        size = _size(folder)
        progress("downloading the MediaPipe wheel", size, None)
        if size > _LARGEST_WHEEL:
            raise PoseModelError(f"pip download {REQUIREMENT}: more than {_LARGEST_WHEEL >> 20} MB came; stopped")
        if time.monotonic() > deadline:
            raise PoseModelError(f"pip download {REQUIREMENT}: not done within {timeout:.0f} s; stopped")
        time.sleep(0.1)


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # pip moves its files while they are counted
            continue
    return total
