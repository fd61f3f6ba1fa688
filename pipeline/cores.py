"""How many cores this process may use, and how many of them are its share."""

import os
import sys


def usable_cores() -> int:
    """How many cores this process may use, which in a container can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share_of_cores() -> int:
    """How many threads this process may keep busy: what OMP_NUM_THREADS says, as in a worker, else one a core."""
    told = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(told) if told.isdecimal() and int(told) else usable_cores()


def keep_to(threads: int) -> None:
    """Make `threads` this process's share, for libraries that have been loaded by now and for those loaded later."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(threads)
    torch, cv2 = sys.modules.get("torch"), sys.modules.get("cv2")
    if torch is not None:
        torch.set_num_threads(threads)
    if cv2 is not None:
        cv2.setNumThreads(threads)
