"""What every command shares at the terminal: answers on stdout, progress and remarks on stderr, errors in one line."""

import json
import os
import re
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from pipeline.names import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

DONE, SOME_FAILED, NOTHING_DONE, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: done; some inputs failed; bad usage or nothing could be done; stopped by the user."""

PIPE_WIDTH = 120
"""Columns of a table that goes to a file or another program."""

PATIENCE = 2.0
"""Seconds of work before progress is shown."""

PLAIN_EVERY = 15.0
"""Seconds between lines of progress where stderr is not a terminal."""


def complain(message: str) -> None:
    """One line on stderr."""
    typer.echo("reid: " + printable(" ".join(str(message).split())), err=True)


class Commands(TyperGroup):
    """A group of commands whose failures end in one line and an exit code, never in a traceback."""

    def invoke(self, ctx: Any) -> Any:
        from smsge.errors import UserError

        try:
            return super().invoke(ctx)
        except UserError as error:
            complain(str(error))
            raise typer.Exit(NOTHING_DONE) from error
        except KeyboardInterrupt as error:
            complain("stopped; what was finished before is kept")
            raise typer.Exit(INTERRUPTED) from error
        except typer.TyperException as error:
            if not (message := error.format_message()):  # no command was given, and help was shown
                raise
            used = getattr(error, "ctx", None) or ctx
            complain(f"{message.rstrip('.')}: see `{used.command_path} --help`")
            raise typer.Exit(NOTHING_DONE) from error
        except (typer.Exit, typer.Abort, EOFError, BrokenPipeError):
            raise
        except Exception as error:
            # Whatever else goes wrong is a fault of the program, unless the system says that a file is the matter.
            if os.environ.get("REID_DEBUG"):
                raise
            if isinstance(error, OSError) and error.strerror:
                complain(f"{error.filename or 'a file'}: {error.strerror}")
            else:
                complain(
                    f"this is a fault of the program ({type(error).__name__}: {error}); "
                    "please report it with what `reid --debug …` shows"
                )
            raise typer.Exit(NOTHING_DONE) from error


class Terminal:
    """Where one command says things. quiet: nothing but answers and errors; as_json: answers are JSON.

    Used as a context manager, so that a bar never stays behind on the screen.
    """

    def __init__(self, quiet: bool = False, as_json: bool = False) -> None:
        self.quiet = quiet
        self.as_json = as_json
        self._began = time.monotonic()
        self._said = self._began
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars, self._tasks = None, {}

    def answer(self, table: "RenderableType", document: Any) -> None:
        """Give the answer: the rich `table`, or with --json the `document` (JSON text, or what json.dumps takes)."""
        self._close()
        if self.as_json:
            text = document if isinstance(document, str) else json.dumps(document, ensure_ascii=False)
            # A file's name may hold bytes that are no text; escaped, they are JSON nevertheless.
            typer.echo(text.encode("utf-8", "backslashreplace").decode())
        else:
            console().print(table, soft_wrap=isinstance(table, str))  # a path stays in one piece

    def remark(self, text: str) -> None:
        """A line a person may want to read and a script does not."""
        if not self.quiet:
            self._above_bars(text)

    def warn(self, text: str) -> None:
        """A line about an input that is not as it should be; --quiet does not silence it."""
        self._above_bars("reid: " + printable(" ".join(text.split())))

    def _above_bars(self, text: str) -> None:
        if self._bars is not None:
            self._bars.console.print(text, highlight=False, markup=False)
        else:
            typer.echo(text, err=True)

    def progress(self, what: str, done: float, total: float | None) -> None:
        """The `Progress` of pipeline.values: bars with the time left, or on something else than a terminal now and
        then a line; nothing for what takes under two seconds."""
        now = time.monotonic()
        if self.quiet or now - self._began < PATIENCE:
            return
        if not sys.stderr.isatty():
            if now - self._said >= PLAIN_EVERY:
                self._said = now
                share = f" {100 * min(done / total, 1):.0f} %" if total else ""
                typer.echo(f"{what}{share} ({now - self._began:.0f} s so far)", err=True)
            return
        if self._bars is None:
            self._bars = _bars()
            self._bars.start()
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total)
        self._bars.update(self._tasks[what], completed=done, total=total)
        if total is not None and done >= total:
            self._bars.remove_task(self._tasks.pop(what))


def grid(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> "RenderableType":
    """A table whose cells are plain text, below its title, which may be wider than the table."""
    from rich.console import Group
    from rich.table import Table

    table = Table(*columns)
    for row in rows:
        table.add_row(*(printable(str(cell)) for cell in row))
    return Group(printable(title), table) if title else table


def console(**options: Any) -> "Console":
    """The console of stdout, wide enough for whole tables where nobody's screen limits it."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else PIPE_WIDTH
    # Names and paths are the user's: brackets in them are no markup.
    return Console(width=width, markup=False, emoji=False, highlight=False, **options)


def save_svg(table: "RenderableType", path: Path, title: str, width: int = 100) -> None:
    """Save what a terminal would show as an SVG picture."""
    from io import StringIO

    from rich.console import Console

    recorder = Console(record=True, width=width, file=StringIO(), force_terminal=True, markup=False, highlight=False)
    recorder.print(table)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Rich's drawing would fetch its font from elsewhere whenever it is looked at.
    drawing = re.sub(r"@font-face \{[^}]*\}", "", recorder.export_svg(title=title))
    path.write_text(drawing, encoding="utf-8")


def _bars() -> "Bars":
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    return Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
