"""One .npy file of somebody else's -> numbers or identities, with nothing in it believed and nothing unpickled."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smsge.errors import DatasetError


def read_clips(path: Path, frames: int, joints: int) -> NDArray[np.float32]:
    """N * frames * joints finite numbers, flat or in rows of `joints` or `frames * joints` -> (N, frames, joints).

    Raises DatasetError, naming the file, for anything else.
    """
    array = _load(path)
    if array.dtype.kind not in "fiu":
        raise DatasetError(f"{path}: holds {array.dtype}, not numbers")
    in_rows = array.ndim == 1 or (array.ndim > 1 and array.shape[-1] in (joints, frames * joints))
    if array.size == 0 or array.size % (frames * joints) or not in_rows:
        raise DatasetError(
            f"{path}: its shape {array.shape} is not that of clips of {frames} frames and {joints} joints; expected"
            f" (N * {frames}, {joints})"
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinity, and is refused as such
        values = np.array(array, np.float32).reshape(-1, frames, joints)
    bad = np.flatnonzero(~np.isfinite(values).all(axis=(1, 2)))
    if len(bad):
        raise DatasetError(f"{path}: NaN or infinity in clip {bad[0]} ({len(bad)} of {len(values)} clips have some)")
    return values


def read_identities(path: Path, clips: int) -> list[str]:
    """N whole numbers or texts, (N,) or (N, 1), one a clip -> N texts. Raises DatasetError, naming the file."""
    array = _load(path)
    if array.shape not in ((clips,), (clips, 1)):
        raise DatasetError(f"{path}: identities of shape {array.shape} for {clips} clips; expected ({clips},)")
    values = np.array(array).ravel()
    if values.dtype.kind in "iu":
        return [str(value) for value in values.tolist()]
    if values.dtype.kind == "f" and (values == np.round(values)).all() and np.isfinite(values).all():
        return [str(int(value)) for value in values.tolist()]
    if values.dtype.kind == "U" and (values != "").all():
        return [str(value) for value in values.tolist()]
    raise DatasetError(f"{path}: identities must be whole numbers or texts, these are {values.dtype} {values[:3]}")


def _load(path: Path) -> NDArray[np.generic]:
    """The array in a file, mapped, so that a header that lies about its size costs nothing."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: missing; there must be a file for each axis and one of identities") from error
    except (OSError, ValueError, EOFError, OverflowError) as error:
        why = " ".join(str(error).split())[:120]
        raise DatasetError(
            f"{path}: not a plain .npy of numbers or texts ({why}); pickled objects are never opened, as they can run"
            " code: have it saved as an array of numbers"
        ) from error
    if not isinstance(array, np.ndarray):
        raise DatasetError(f"{path}: an archive of arrays; one plain .npy is expected")
    return array
