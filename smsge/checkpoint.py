"""Encoders on disk: one safetensors file with the weights, what they belong to, and whatever was fitted on top of them.

In the file: tensors `encoder.*` (the model's own) and `extra.*` (the caller's: statistics, heads), and in the header
`format`, `version`, `config` and `metadata`, the last two as JSON. Nothing in it is executed on loading.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from smsge.config import EncoderConfig
from smsge.encoder import SMSGE
from smsge.errors import CheckpointError, ConfigError
from smsge.files import whole_file

FORMAT, VERSION = "smsge-encoder", "1"
FINGERPRINTED = ("canonical", "normalize", "descriptors", "fps", "form", "weights", "head")
"""Metadata that changes what an embedding is: the versions of what makes skeletons canonical, of what comes before
that and of what describes them, the frame rate, the skeletons' form, how descriptors are mixed, the encoder's head."""

_MODEL, _EXTRA = "encoder.", "extra."
_PLAIN = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32)


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds. model: in evaluation mode, on the CPU. tensors: the extra ones, by name. metadata: as saved.
    fingerprint: 64 hex digits, the same if and only if the file embeds in the same way (see `fingerprint`)."""

    model: SMSGE
    tensors: dict[str, Tensor]
    metadata: dict[str, Any]
    fingerprint: str


def save_checkpoint(
    path: str | Path,
    model: SMSGE,
    tensors: Mapping[str, Tensor] | None = None,
    metadata: Mapping[str, Any] | None = None,
    *,
    half: bool = False,
) -> str:
    """Write `path` whole or not at all; returns the fingerprint.

    tensors: extra named tensors, stored in their own type. metadata: anything JSON can hold. half: store the encoder's
    weights in 16 bits, half the size; they load as float32. Raises CheckpointError for a value that is not finite (in
    16 bits: above 65,504) and for a file that cannot be written.
    """
    path = Path(path)
    own = {_MODEL + name: value.half() if half else value for name, value in model.state_dict().items()}
    extra = {_EXTRA + name: value for name, value in (tensors or {}).items()}
    stored = {name: value.detach().cpu().contiguous().clone() for name, value in (own | extra).items()}
    _require_finite(path, stored)
    header = {
        "format": FORMAT,
        "version": VERSION,
        "config": json.dumps(dataclasses.asdict(model.config)),
        "metadata": json.dumps(dict(metadata or {}), allow_nan=False),
    }
    try:
        with whole_file(path) as file:
            file.write(safetensors.torch.save(stored, header))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot write the encoder ({error.strerror}); choose another place") from error
    return fingerprint(model.config, _widened(stored), json.loads(header["metadata"]))


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read and check a file of `save_checkpoint`; 16-bit tensors come back as float32.

    Raises CheckpointError, in one line, where the file is missing, no safetensors file, of another format or version,
    or its tensors are missing, unknown, misshaped or not finite.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such file; give the path of an encoder (.safetensors)")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (the file is no mapping)
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{path}: damaged, or not a safetensors file; get the encoder again") from error
    config, metadata = _read_header(path, header)
    _require_plain(path, tensors)
    _require_finite(path, tensors)
    _require_room(path, config, tensors)
    tensors = _widened(tensors)
    with torch.random.fork_rng(devices=[]):  # the initial weights are thrown away: loading must not move the seed
        model = SMSGE(config)
    own = {name.removeprefix(_MODEL): value for name, value in tensors.items() if name.startswith(_MODEL)}
    _require_same_tensors(path, own, model.state_dict())
    model.load_state_dict(own)
    extra = {name.removeprefix(_EXTRA): value for name, value in tensors.items() if name.startswith(_EXTRA)}
    return Checkpoint(model.eval(), extra, metadata, fingerprint(config, tensors, metadata))


def fingerprint(config: EncoderConfig, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> str:
    """SHA-256 of everything an embedding depends on: config, the FINGERPRINTED metadata, and every tensor.

    Notes for people in the metadata (a threshold, how it was trained) may change without a gallery having to be redone.
    """
    digest = hashlib.sha256()
    # A switch that is off is left out, as if there were none: encoders older than the switch keep their fingerprint.
    settings = {key: value for key, value in dataclasses.asdict(config).items() if value is not False}
    identity = {"config": settings} | {key: metadata[key] for key in FINGERPRINTED if key in metadata}
    digest.update(json.dumps(identity, sort_keys=True, separators=(",", ":")).encode())
    for name, value in sorted(tensors.items()):
        digest.update(f"\n{name} {value.dtype} {list(value.shape)}\n".encode())
        digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _read_header(path: Path, header: Mapping[str, str]) -> tuple[EncoderConfig, dict[str, Any]]:
    if header.get("format") != FORMAT:
        raise CheckpointError(f"{path}: a safetensors file, but not an encoder of this project; give another file")
    if header.get("version") != VERSION:
        raise CheckpointError(
            f"{path}: written in version {header.get('version')} of the format, this program reads version {VERSION}; "
            "use the program it was made with, or train again"
        )
    try:
        settings, metadata = json.loads(header["config"]), json.loads(header["metadata"])
        config = EncoderConfig(**{**settings, "scales": tuple(settings["scales"])})
        if not isinstance(metadata, dict):
            raise TypeError("metadata is not an object")
    except (KeyError, ValueError, TypeError, RecursionError, ConfigError) as error:
        why = " ".join(str(error).split())[:120]
        raise CheckpointError(f"{path}: its header cannot be used ({why}); get the encoder again") from error
    return config, metadata


def _require_plain(path: Path, tensors: Mapping[str, Tensor]) -> None:
    for name, value in tensors.items():
        if value.dtype not in _PLAIN:
            raise CheckpointError(f"{path}: tensor {name} is of {value.dtype}, which no encoder has; get it again")


def _require_room(path: Path, config: EncoderConfig, tensors: Mapping[str, Tensor]) -> None:
    """Refuse a config for which far more numbers would be laid out in memory than the file holds."""
    least = len(config.scales) * (4 * config.hidden**2 + config.heads * config.width**2)
    if least > sum(value.numel() for value in tensors.values()):
        raise CheckpointError(f"{path}: its config is that of a larger encoder; get the encoder again")


def _require_same_tensors(path: Path, found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    if odd := sorted(found.keys() ^ expected.keys()):
        problem = "is missing" if odd[0] in expected else "has no place in the encoder of its config"
        raise CheckpointError(f"{path}: tensor {odd[0]} {problem} ({len(odd)} such); get the encoder again")
    for name, value in expected.items():
        if found[name].shape != value.shape:
            shapes = f"{list(found[name].shape)} where its config says {list(value.shape)}"
            raise CheckpointError(f"{path}: tensor {name} is {shapes}; get the encoder again")


def _require_finite(path: Path, tensors: Mapping[str, Tensor]) -> None:
    for name, value in tensors.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise CheckpointError(f"{path}: tensor {name} has values that are not numbers; train or get it again")


def _widened(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
        for name, value in tensors.items()
    }
