"""Clips whose people are scripted and an encoder that anyone can follow, so that the flow is tested without models."""

import hashlib
import os
import signal
import time
from pathlib import Path

import numpy as np
from stick_people import Stick, walk

from pipeline.crew import Alive
from pipeline.errors import DetectorError, PoseModelError, VideoError
from pipeline.gallery import Gallery
from pipeline.in_common import Common, about_centres
from pipeline.probes import Reader, Reading
from pipeline.settings import Settings
from pipeline.skeletons import Extraction, save_skeletons
from pipeline.templates import Embedder, encoder_id
from pipeline.thresholds import Thresholds
from pipeline.values import PoseTrack
from smsge.sequence import SkeletonSequence

FPS = 15.0
NARROW, MIDDLE, WIDE = Stick(shoulders=0.30), Stick(shoulders=0.38), Stick(shoulders=0.46)


class ShoulderEncoder:
    """Embeds the width of the shoulders, in statures, as an angle: people differ by it and by nothing else."""

    fingerprint = "f" * 64
    name = "shoulders"
    dim = 8
    frames = 20
    threshold = 0.9
    thresholds = Thresholds.single(threshold)

    def embed(self, sequences: list[SkeletonSequence]) -> np.ndarray:
        out = np.zeros((len(sequences), self.dim), np.float32)
        widths = shoulder_widths(sequences)
        out[:, 0], out[:, 1] = np.cos(15 * widths), np.sin(15 * widths)
        return out


def shoulder_widths(sequences: list[SkeletonSequence]) -> np.ndarray:
    """(N,) in statures."""
    left, right = (sequences[0].layout.index[f"{side} shoulder"] for side in ("left", "right"))
    across = [sequence.joints[:, left] - sequence.joints[:, right] for sequence in sequences]
    return np.array([np.linalg.norm(one, axis=1).mean() for one in across])


def passes(*who: tuple[Stick, float, float], scale: float = 100.0) -> tuple[PoseTrack, ...]:
    """A track for each (person, start, end in seconds)."""
    tracks = []
    for number, (stick, start, end) in enumerate(who, 1):
        track = walk(stick, np.arange(round((end - start) * FPS)) / FPS, noise=0.002, scale=scale, seed=number)
        moved = {**vars(track), "id": number, "times": track.times + start, "frames": track.frames + round(start * FPS)}
        tracks.append(PoseTrack(**moved))
    return tuple(tracks)


def extraction(source: str, tracks: tuple[PoseTrack, ...], content: str | None = None) -> Extraction:
    """What would be extracted from a clip of six seconds; its content is told from its name."""
    known = hashlib.sha256((content or source).encode()).hexdigest()
    return Extraction(source, known, (1280, 480), FPS, 6.0, 90, tracks)


def clip(path: Path, *who: tuple[Stick, float, float], content: str | None = None, scale: float = 100.0) -> Path:
    """A file of skeletons at `path`, its content told from its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return save_skeletons(path, extraction(path.name, passes(*who, scale=scale), content))


def gallery_at(path: Path) -> Gallery:
    """A gallery of the shoulder encoder."""
    encoder = ShoulderEncoder()
    who = encoder_id(encoder)
    return Gallery.open(path, fingerprint=who.fingerprint, encoder_name=who.name, dim=who.dim, skeletons=who.skeletons)


class ScriptedRead:
    """What a worker does in these tests: a file called `slow`, `dies`, … does so, any other is read as it is."""

    def __init__(self, settings: Settings, embedder: Embedder | None = None) -> None:
        self.reader = Reader(settings, embedder=embedder or ShoulderEncoder())

    def __call__(self, source: str, alive: Alive) -> tuple[float, Reading]:
        stem = Path(source).stem
        once = Path(source).with_suffix(".once")
        if stem == "dies" or (stem == "falters" and not once.exists()):
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if stem == "bug":
            raise ZeroDivisionError("what nobody\nforesaw")
        if stem == "bad":
            raise VideoError(f"{source} cannot be opened: give a video file")
        if stem == "model":
            raise PoseModelError("the pose model cannot be reached")
        if stem == "detector":
            raise DetectorError("the person detector cannot be read")
        if stem == "slow":
            time.sleep(60)
        return 0.25, self.reader.read(source)


def unable(settings: Settings) -> ScriptedRead:
    """A worker that cannot get ready."""
    raise PoseModelError("the pose model cannot be reached")


def asked(gallery: Gallery, threshold: float) -> float:
    """What a search asks for in a gallery of few people whose thresholds say so."""
    usual = ShoulderEncoder.thresholds.alike if gallery.thresholds is None else gallery.thresholds.alike
    known = Common(gallery.count, gallery.alike)
    return round(about_centres(threshold, known, known, usual), 4)
