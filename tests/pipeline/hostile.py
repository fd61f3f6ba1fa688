"""What must hold of every input, however it was made: success or one line of ours, and nothing else is done."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.names import printable

T = TypeVar("T")
ROOT = Path(__file__).parents[2]

_RUN = {"os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "pickle.find_class", "socket.connect"}
_CHANGE = {"os.rename", "os.remove", "os.mkdir", "os.link", "os.symlink", "os.rmdir", "os.truncate", "os.chmod"}
_watched: list[tuple[Path, list[str]]] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    for folder, seen in _watched:
        writing = event == "open" and bool(arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC))
        changed = (writing or event in _CHANGE) and isinstance(arguments[0], str | bytes | os.PathLike)
        path = Path(os.fsdecode(arguments[0])) if changed else folder
        known = event == "os.mkdir" and path.is_dir()  # so that nothing is changed
        if event in _RUN or not (known or path.resolve().is_relative_to(folder)):
            seen.append(f"{event} {arguments!r}")


sys.addaudithook(_audit)


@contextmanager
def nothing_outside(folder: Path) -> Iterator[None]:
    """Fails where anything is changed that is not in `folder`, or anything is run, unpickled or connected to."""
    seen: list[str] = []
    _watched.append((folder.resolve(), seen))
    try:
        yield
    finally:
        _watched.pop()
    assert not seen, seen


def outcome(call: Callable[[], T], *kinds: type[UserError]) -> T | None:
    """What `call` gives; None where it is refused by an error of these kinds whose message is one printable line."""
    try:
        return call()
    except kinds as error:
        told = str(error)
    assert told == printable(told), repr(told)
    assert 0 < len(told) < 1000
    return None


def within_bounds(loads: str, files: list[Path], megabytes: int = 256, seconds: float = 300) -> list[str]:
    """What `loads` (lines that define `load(path)`) says of each file, in a process of its own that may take so much
    memory more than it has at the start. Fails where anything but a UserError comes of it, or it takes longer."""
    code = f"""
import resource, sys
from smsge.errors import UserError
{loads}
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + ({megabytes} << 20),) * 2)
for path in sys.argv[1:]:
    try:
        load(path)
        print("loaded")
    except UserError as error:
        print(error)
"""
    command = [sys.executable, "-c", code, *map(str, files)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


numbers = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([0, 1, -1, 2**31, 2**63, 10**400, -(10**30), 1e308, 5e-324, True]),
)
"""Every kind of number, and those at which something overflows."""

plain = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=8)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
"""Whatever JSON can hold."""


@st.composite
def damaged(draw: st.DrawFn, whole: bytes, start: int = 0) -> bytes:
    """`whole` with a few bytes changed from `start` on, then perhaps cut, or with something after it."""
    data = bytearray(whole)
    for place in draw(st.lists(st.integers(start, len(data) - 1), max_size=12)):
        data[place] = draw(st.integers(0, 255))
    end = draw(st.one_of(st.none(), st.integers(0, len(data))))
    return bytes(data[:end]) + draw(st.binary(max_size=40))
