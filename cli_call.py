"""What all commands of `reid` share: their common options, and the `Call` that a command gets of them."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli_terminal import DONE, Terminal

if TYPE_CHECKING:
    from pipeline.gallery import Gallery
    from pipeline.settings import Settings
    from pipeline.templates import Embedder

SHARED: dict[str, Any] = {
    "config": Annotated[Path | None, typer.Option(help="Settings, a YAML file.", show_default=False)],
    "changes": Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting; may be repeated.")
    ],
    "as_json": Annotated[bool, typer.Option("--json", help="The answer as JSON, and nothing else on stdout.")],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no remarks.")],
}
"""Options that every command takes."""

GALLERY: dict[str, Any] = {
    "gallery": Annotated[
        Path | None, typer.Option(envvar="REID_GALLERY", help="The gallery; default: yours.", show_default=False)
    ],
}
"""The option of the commands that work on a gallery."""

FOOTAGE: dict[str, Any] = {
    "detector": Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.onnx", help="A YOLOX person detector that says where people are.", show_default=False
        ),
    ],
    "stride": Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100,
            metavar="N",
            help="Use every N-th frame; default: as few as are enough, 15 a second.",
            show_default=False,
        ),
    ],
}
"""The options of the commands that read footage."""

Far = Annotated[
    float | None,
    typer.Option(min=1e-4, max=1, metavar="RATE", help="Share of strangers let pass, 0.01 is 1 %.", show_default=False),
]
"""Of the commands that decide who is who."""

FLAGS = ("as_json", "quiet")


@dataclass(frozen=True)
class Call:
    """What a command was told by the options that all of them share."""

    terminal: Terminal
    gallery: Path | None
    config: Path | None
    changes: list[str]
    detector: Path | None = None
    stride: int | None = None

    @cached_property
    def settings(self) -> "Settings":
        from pipeline import load_settings

        settings = load_settings(self.config, self.changes)
        if self.detector is not None:
            settings = replace(settings, pose=replace(settings.pose, detector=str(self.detector)))
        if self.stride is not None:
            settings = replace(settings, video=replace(settings.video, stride=self.stride))
        return settings

    @cached_property
    def embedder(self) -> "Embedder":
        from pipeline.probes import own_embedder

        return own_embedder(self.settings)

    def open_gallery(self, create: bool = False) -> "Gallery":
        """The gallery, to add to and to search; it must belong to the encoder in use."""
        from pipeline import open_gallery

        return open_gallery(self.gallery, self.settings, create=create, embedder=self.embedder)

    def manage_gallery(self) -> "Gallery":
        """The gallery, whatever encoder it belongs to; needs no model."""
        from pipeline.gallery import Gallery

        return Gallery.open(self.place, create=False, log=self.settings.gallery.log)

    @property
    def place(self) -> Path:
        from pipeline.places import default_gallery

        return self.gallery or default_gallery()


def command(
    group: typer.Typer,
    name: str | None = None,
    *,
    gallery: bool = True,
    footage: bool = False,
    own_config: bool = False,
) -> Callable[[Callable[..., int | None]], Callable[..., None]]:
    """Make a function a command of `group`: it gets a `Call` first, then its own arguments; what it returns is the
    exit code, None being 0. gallery: whether it works on one. footage: whether it finds people in clips. own_config:
    --config and --set are not `Settings`."""
    common = (FOOTAGE if footage else {}) | (GALLERY if gallery else {}) | SHARED

    def register(function: Callable[..., int | None]) -> Callable[..., None]:
        @wraps(function)
        def run(**given: Any) -> None:
            shared = {key: given.pop(key) for key in common}
            with Terminal(shared["quiet"], shared["as_json"]) as terminal:
                call = Call(
                    terminal,
                    shared.get("gallery"),
                    shared["config"],
                    shared["changes"] or [],
                    shared.get("detector"),
                    shared.get("stride"),
                )
                if (call.config or call.changes) and not own_config:
                    _ = call.settings  # a wrong key is told by every command, also by one that needs no setting
                code = function(call, **given)
            raise typer.Exit(code or DONE)

        own = list(inspect.signature(function).parameters.values())[1:]
        keyword = inspect.Parameter.KEYWORD_ONLY
        options = [
            inspect.Parameter(key, keyword, annotation=kind, default=False if key in FLAGS else None)
            for key, kind in common.items()
        ]
        own = [parameter.replace(kind=keyword) for parameter in own]
        run.__signature__ = inspect.Signature(own + options)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in own + options}
        group.command(name)(run)
        return run

    return register
