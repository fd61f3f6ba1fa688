"""Configuration: a YAML file and `--set key=value` fill a dataclass, and whatever it does not know is refused by name.

One loader for every kind of run: `load_settings` for the pipeline, `load_config` for any other dataclass of plain
values (training has its own). Types are checked strictly (a text is no number), ranges by the dataclass itself. Light:
nothing here loads a model or a video library.
"""

import json
import re
from collections.abc import Hashable, Sequence
from dataclasses import fields, is_dataclass
from difflib import SequenceMatcher
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from pipeline.errors import ConfigError
from pipeline.names import printable
from pipeline.settings import Settings

T = TypeVar("T")

LONGEST_NAME = 100  # characters of a setting's name for which a like one is looked for
MAX_BYTES = 1 << 18  # a configuration is a page of text; anything larger is another file given by mistake


def load_settings(path: str | Path | None = None, overrides: Sequence[str] = ()) -> Settings:
    """The pipeline's settings: defaults, then the file at `path`, then `overrides` ("section.key=value").

    Raises ConfigError, naming the key, for anything unknown, of the wrong type or out of range.
    """
    return load_config(Settings, path, overrides)


def load_config(cls: type[T], path: str | Path | None = None, overrides: Sequence[str] = ()) -> T:
    """A `cls` (a dataclass, sections of it dataclasses again) from its defaults, a YAML file and overrides, the later
    winning over the earlier. An override's value is read as YAML, or as it stands where the setting is a text.

    Raises ConfigError: the file cannot be read, is over-large or not a mapping; a key is unknown (the nearest known one
    is suggested), a value of the wrong type or out of range.
    """
    known = _leaves(cls)
    told: dict[str, Any] = {}
    if path is not None:
        told = _read(Path(path))
        _refuse_unknown(cls, told, known, str(path))
    for override in overrides:
        _apply(told, override, known)
    try:
        text = json.dumps(told, default=str)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, or too many brackets
        raise ConfigError(f"{path or '--set'}: a value that no setting can have ({_one_line(error)})") from error
    try:
        return TypeAdapter(cls).validate_json(text, strict=True)
    except ValidationError as error:
        key, what = _problem(error)
        raise ConfigError(f"{_place(key, path, overrides)}: {what}") from error
    except ConfigError as error:  # from a dataclass of `smsge`, which names its key but knows nothing of files
        raise ConfigError(f"{_place(str(error).partition(':')[0], path, overrides)}: {error}") from error


def recipe_of(path: str | Path) -> str | None:
    """What the YAML file at `path` says under `recipe`, None where it says nothing. Raises ConfigError as above."""
    told = _read(Path(path)).get("recipe")
    return None if told is None else str(told)


def _place(key: str, path: str | Path | None, overrides: Sequence[str]) -> str:
    """Where a setting was given: on the command line or in the file."""
    changed = [override.partition("=")[0].strip() for override in overrides]
    here = any(name == key or name.endswith(f".{key}") for name in changed)
    return "--set" if path is None or here else str(path)


class _Loader(yaml.SafeLoader):
    """Safe YAML, stricter: no aliases (they can blow up a small file), no key twice, and 1e-4 is a number."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not used here")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.YAMLError("the name of a setting must be a text")
            if key.value in seen:
                raise yaml.YAMLError(f"'{key.value}' is given twice")
            seen.add(key.value)
        return {str(key): value for key, value in super().construct_mapping(node, deep).items()}


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def _parse(text: str) -> Any:
    """What `yaml.safe_load` does, by `_Loader`: a `SafeLoader` builds nothing but plain values."""
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def _shipped(path: Path) -> Path:
    """A file that comes with the program, where `path` is its name in the repository, as in configs/train/rgb.yaml,
    and nothing of that name is here; else `path`."""
    name = path.as_posix()
    if path.exists() or not re.fullmatch(r"configs(/[a-z_]+){1,2}\.yaml", name):
        return path
    return Path(str(files("configs"))).parent / name


def _read(path: Path) -> dict[str, Any]:
    try:
        with _shipped(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path} is larger than {MAX_BYTES >> 10} KiB: it is not a configuration of this program")
    try:
        told = _parse(data.decode("utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise ConfigError(f"{path} is not YAML: {_one_line(error)}") from error
    if told is None:
        return {}
    if not isinstance(told, dict):
        raise ConfigError(
            f"{path} is not a mapping of settings: its lines should look like 'section:' and '  key: value'"
        )
    return told


def _one_line(error: BaseException) -> str:
    mark = getattr(error, "problem_mark", None)
    text = getattr(error, "problem", None) or str(error) or type(error).__name__
    return _short(text, 200) + (f" (line {mark.line + 1})" if mark else "")


def _short(text: str, most: int = 60) -> str:
    """`text` as it may stand in a message: one line, and nothing that a terminal obeys."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _section(kind: Any) -> type | None:
    """The dataclass in a field's type, also in `Section | None`."""
    return next((k for k in (kind, *get_args(kind)) if isinstance(k, type) and is_dataclass(k)), None)


def _leaves(cls: type, prefix: str = "") -> dict[str, Any]:
    """Every known dotted key and its type; sections are there too, so that they are suggested as well."""
    hints = get_type_hints(cls)
    known: dict[str, Any] = {}
    for field in fields(cls):
        key = f"{prefix}{field.name}"
        known[key] = hints[field.name]
        section = _section(hints[field.name])
        if section:
            known |= _leaves(section, f"{key}.")
    return known


def _unknown(key: str, known: dict[str, Any], where: str) -> ConfigError:
    # Compared whole, and by the last part alone: the right name may stand in the wrong section.
    near = known if len(key) <= LONGEST_NAME else {}
    likeness = {name: max(_alike(key, name), _alike(key.rpartition(".")[2], name.rpartition(".")[2])) for name in near}
    nearest = max(likeness, key=lambda name: likeness[name], default="")
    known_here = sorted(name for name in known if "." not in name)
    hint = f"did you mean '{nearest}'?" if likeness.get(nearest, 0) >= 0.6 else f"known are {', '.join(known_here)}"
    return ConfigError(f"{where}: unknown setting '{_short(key)}'; {hint}")


def _alike(a: str, b: str) -> float:
    return SequenceMatcher(None, a, b).ratio()


def _refuse_unknown(cls: type, told: dict[Any, Any], known: dict[str, Any], where: str, prefix: str = "") -> None:
    for name, value in list(told.items()):
        key = f"{prefix}{name}"
        if not isinstance(name, str) or "." in name or key not in known:
            raise _unknown(key, known, where)
        section = _section(known[key])
        if section and isinstance(value, dict):
            _refuse_unknown(section, value, known, where, f"{key}.")
        elif section and value is None:
            del told[name]  # a heading with nothing, or only comments, below it


def _apply(told: dict[str, Any], override: str, known: dict[str, Any]) -> None:
    key, equals, text = override.partition("=")
    key, where = key.strip(), f"--set {_short(override)}"
    if not equals:
        raise ConfigError(f"{where}: write it as section.key=value")
    if key not in known:
        raise _unknown(key, known, where)
    if _section(known[key]):
        inner = next(name for name in known if name.startswith(f"{key}."))
        raise ConfigError(f"{where}: '{key}' is a section; set one of its keys, as in {inner}=…")
    if known[key] in (str, Path):
        value: Any = text
    else:
        try:
            value = _parse(text)
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise ConfigError(f"{where}: the value cannot be read: {_one_line(error)}") from error
    *sections, last = key.split(".")
    into = told
    for name in sections:
        inside = into.setdefault(name, {})
        if not isinstance(inside, dict):
            raise ConfigError(f"'{name}' must be a section of settings, not {_short(repr(inside))}")
        into = inside
    into[last] = value


def _problem(error: ValidationError) -> tuple[str, str]:
    """The key that the first error is about, and a message that names it."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    what = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":  # from the dataclass itself, whose message begins with the key
        what = _short(f"{key + '.' if key else ''}{what}", 200)
        return what.split(" ")[0], what
    if first["type"] == "missing":
        return key, f"'{key}' must be given"
    if first["type"] == "json_invalid":
        return key, "a value that no setting can have: too many brackets, or signs that are no text"
    return key, f"{key} cannot be {_short(repr(first['input']))}: {what[:1].lower()}{what[1:]}"
