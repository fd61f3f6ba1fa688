"""`reid` as a user types it, in a folder of its own: the encoder is a plain one, people are files of skeletons."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from stick_people import Stick, walk
from typer.testing import CliRunner, Result

import cli
from pipeline.skeletons import Extraction, save_skeletons
from pipeline.thresholds import Thresholds
from smsge.sequence import SkeletonSequence

TIMES = np.arange(0, 4, 0.04)
ANNA, BEN, STRANGER = Stick(shoulders=0.46, hips=0.2), Stick(shoulders=0.3, hips=0.32), Stick(shoulders=0.46, hips=0.32)

WITHOUT_GALLERY = ("extract", "camera", "train", "evaluate", "synthesize", "demo", "models")


@dataclass(frozen=True)
class Widths:
    """An encoder that knows people by the width of shoulders and hips."""

    fingerprint: str = "ab" * 32
    name: str = "widths"
    dim: int = 2
    frames: int = 20
    threshold: float = 0.8
    fps: float = 15.0

    @property
    def thresholds(self) -> Thresholds:
        return Thresholds.single(self.threshold)

    @property
    def metadata(self) -> dict[str, Any]:
        return {"fps": self.fps}

    def embed(self, sequences: list[SkeletonSequence]) -> np.ndarray:
        rows = []
        for sequence in sequences:
            r_shoulder, l_shoulder, r_hip, l_hip = (sequence.joints[:, joint] for joint in (2, 5, 8, 11))
            widths = [np.linalg.norm(a - b, axis=1).mean() for a, b in ((r_shoulder, l_shoulder), (r_hip, l_hip))]
            legs = np.linalg.norm(sequence.joints[:, 8] - sequence.joints[:, 9], axis=1).mean()
            row = np.array(widths) / legs - np.array([0.38, 0.26]) / 0.43
            rows.append(row / np.linalg.norm(row))
        return np.array(rows, np.float32).reshape(-1, self.dim)


@dataclass
class Shell:
    """`reid` in a folder of its own, with a gallery of its own."""

    folder: Path

    @property
    def gallery(self) -> Path:
        return self.folder / "people.db"

    def __call__(self, *words: object, input: str | None = None, gallery: bool = True) -> Result:
        arguments = [str(word) for word in words]
        if gallery and words[0] not in WITHOUT_GALLERY:
            arguments += ["--gallery", str(self.gallery)]
        return CliRunner().invoke(cli.app, arguments, input=input)

    def clip(self, name: str, *sticks: Stick, seconds: float = 4.0, content: str = "") -> Path:
        """A file of skeletons of people who walk side by side."""
        times = TIMES[seconds > TIMES]
        tracks = tuple(replace(walk(stick, times), id=number) for number, stick in enumerate(sticks, 1))
        extraction = Extraction(f"{name}.mp4", content, (1280, 480), 25.0, seconds, len(times), tracks)
        path = self.folder / f"{name}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = content or name.encode().hex().ljust(64, "0")[:64]
        return save_skeletons(path, replace(extraction, content=digest))


def one_line(result: Result, code: int, *words: str) -> None:
    """The command failed with this exit code and said why in one line on stderr, without a traceback."""
    assert result.exit_code == code, result.output
    lines = [line for line in result.stderr.splitlines() if "reid: " in line]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.output
    for word in words:
        assert word in lines[0]


def names(shell: Shell) -> list[str]:
    return [person["name"] for person in json.loads(shell("gallery", "list", "--json").stdout)]
