"""Whether a run may go on in the folder of one before: only where its rows answer the same question."""

from pathlib import Path
from typing import Any

from pipeline.documents import read_json
from pipeline.errors import UserError
from pipeline.names import printable


def refuse_another_run(path: Path, identity: dict[str, Any]) -> None:
    """Refuse to go on in a folder that holds a run of another kind: its rows would answer another question."""
    told = read_json(path)
    if not isinstance(told, dict):
        return
    for key in told.keys() & {"folder", "gallery"}:
        told[key] = str(Path(str(told[key])).resolve())  # earlier versions wrote them as they were given
    for key, value in identity.items():
        if (before := told.get(key)) != value:
            raise UserError(
                f"{path.parent} holds a run with {_another(key, before, value)}: choose another --out, or delete that"
                " folder"
            )


def _another(key: str, before: Any, now: Any) -> str:
    """What differs between a run's identity and that of the run before."""
    if key == "settings" and isinstance(before, dict):
        old, new = _leaves(before), _leaves(now)
        return f"other settings ({', '.join(sorted(one for one in old | new if old.get(one) != new.get(one)))})"
    return "another encoder" if key == "fingerprint" else f"another {key} ({printable(str(before))})"


def _leaves(settings: dict[str, Any]) -> dict[str, Any]:
    """`section.key` for every setting, as `--set` takes them."""
    return {
        f"{section}.{key}": value
        for section, values in settings.items() if isinstance(values, dict)
        for key, value in values.items()
    }  # fmt: skip
