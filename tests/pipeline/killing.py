"""Kills enrolments, batch runs and reindexing at random moments, and lets eight processes at one gallery at once.

A script of its own, so that every process that is to be killed is a fork of one that has everything loaded:

    python tests/pipeline/killing.py kill FOLDER KILLS SEED
    python tests/pipeline/killing.py crowd FOLDER PROCESSES CLIPS

Prints what was done as JSON; an assertion that fails is a fault that was found.
"""

import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"  # threads do not live through a fork
HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import numpy as np  # noqa: E402
from scripted import NARROW, WIDE, ScriptedRead, ShoulderEncoder, clip  # noqa: E402
from test_batch import in_this_process  # noqa: E402

from pipeline.backups import backups_of  # noqa: E402
from pipeline.batch import batch  # noqa: E402
from pipeline.checking import check  # noqa: E402
from pipeline.enroll import enroll  # noqa: E402
from pipeline.gallery import Gallery  # noqa: E402
from pipeline.rows import VECTORS, decode  # noqa: E402
from pipeline.search import search  # noqa: E402
from pipeline.templates import encoder_id  # noqa: E402
from smsge.sequence import SkeletonSequence  # noqa: E402

CLIPS = 24
import_module("pipeline.batch").run_tasks = in_this_process  # type: ignore[attr-defined]


class Turned(ShoulderEncoder):
    """Another encoder: the same angle, turned."""

    fingerprint = "e" * 64
    name = "turned"

    def embed(self, sequences: list[SkeletonSequence]) -> np.ndarray:
        return np.roll(super().embed(sequences), 2, axis=1)


ENCODERS = {encoder.fingerprint: encoder for encoder in (ShoulderEncoder(), Turned())}


def open_with(path: Path, encoder: ShoulderEncoder) -> Gallery:
    who = encoder_id(encoder)
    return Gallery.open(path, fingerprint=who.fingerprint, encoder_name=who.name, dim=who.dim, skeletons=who.skeletons)


def held(path: Path) -> Counter[str]:
    """The clips of a gallery, each with its templates, which must be what its encoder makes of their skeletons."""
    if not path.exists() or path.stat().st_size == 0:
        return Counter()
    assert check(path).problems == (), check(path).problems
    with sqlite3.connect(path) as connection:
        ((fingerprint, dim),) = connection.execute("SELECT fingerprint, dim FROM gallery")
        rows = connection.execute(f"SELECT file, {VECTORS} FROM templates JOIN clips ON clips.id = clip").fetchall()
    connection.close()
    for _, *vectors in rows:
        _, embedding, skeleton = decode(tuple(vectors), dim)
        (expected,) = ENCODERS[fingerprint].embed([skeleton])
        assert np.allclose(embedding, expected, atol=2e-2), "an embedding of another encoder than the gallery's"
    return Counter(file for file, *_ in rows)


@dataclass
class Killer:
    """A gallery at which processes are killed, and what they reported as done before."""

    folder: Path
    rng: random.Random
    spans: dict[str, float] = field(default_factory=dict)
    told: Counter[str] = field(default_factory=Counter)
    done: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.clips = sorted((self.folder / "clips").iterdir())
        self.path = self.folder / "gallery.db"

    def afresh(self) -> None:
        """Remove the gallery and the results, when there is nothing left to do."""
        for file in (*self.folder.glob("gallery.db*"), *self.folder.glob(".gallery.db*")):
            file.unlink()
        shutil.rmtree(self.folder / "out", ignore_errors=True)
        self.done.clear()

    def enrol(self, report: Callable[[str], None]) -> None:
        encoder = self.encoder()
        with open_with(self.path, encoder) as gallery:
            for path in self.clips:
                if path.name not in self.done:
                    enroll(path, gallery=gallery, embedder=encoder)
                    report(path.name)

    def batch(self, report: Callable[[str], None]) -> None:
        encoder = ShoulderEncoder()
        with open_with(self.path, encoder) as gallery:
            batch(
                self.folder / "clips", self.folder / "out", gallery=gallery, mode="enroll", workers=1,
                embedder=encoder, make_read=ScriptedRead,
            )  # fmt: skip

    def reindex(self, report: Callable[[str], None]) -> None:
        new = next(encoder for encoder in ENCODERS.values() if encoder.name != self.encoder().name)
        with Gallery.open(self.path) as gallery:
            gallery.reindex(new)
        report(new.fingerprint)

    def encoder(self) -> ShoulderEncoder:
        if not self.path.exists() or self.path.stat().st_size == 0:
            return ShoulderEncoder()
        with Gallery.open(self.path) as gallery:
            return ENCODERS[gallery.encoder.fingerprint]

    def cycle(self, kind: str) -> bool:
        """Start, kill, look; whether it was still at work when it was killed."""
        reported, log, killed = self.strike(kind, self.rng.uniform(0, self.spans[kind]))
        self.told["a log left behind"] += log and killed
        self.told["a backup not finished"] += kind == "reindex" and self.path.with_name(".gallery.db.bak.part").exists()
        there = held(self.path)
        assert set(there.values()) <= {2}, f"half a video: {there}"
        if kind == "reindex":
            assert {name for name in self.done if there[name] != 2} == set()
            assert not reported or self.encoder().fingerprint == reported[-1], "a reindex that was reported is undone"
            assert not any(held_backup(backup) for backup in backups_of(self.path))
        elif kind == "batch":
            path = self.folder / "out" / "results.jsonl"
            text = path.read_text() if path.exists() else ""
            rows = [json.loads(line) for line in text.split("\n")[:-1]]
            assert not [row for row in rows if row["status"] == "failed"], rows
            self.done = {row["clip"] for row in rows}
        else:
            self.done |= set(reported)
        lost = {name for name in self.done if there[name] != 2}
        assert not lost, f"reported as done and lost: {lost}"
        self.told[kind] += killed
        self.told["videos kept"] += len(self.done)
        self.done = set(there)
        if len(self.done) == CLIPS and kind != "reindex":
            self.afresh()
        return killed

    def strike(self, kind: str, seconds: float | None) -> tuple[list[str], bool, bool]:
        """Run `kind` in a fork and kill it after `seconds` (None: never): what it reported, whether it left a log that
        holds something, whether it was killed."""
        ours, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(ours)
            code = 1
            try:
                getattr(self, kind)(lambda name: os.write(theirs, f"{name}\n".encode()))
                code = 0
            finally:
                os._exit(code)
        os.close(theirs)
        if seconds is not None:
            time.sleep(seconds)
            os.kill(child, signal.SIGKILL)
        with os.fdopen(ours) as pipe:
            reported = pipe.read().split()
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, f"{kind} failed"
        log = self.path.with_name("gallery.db-wal")
        return reported, log.exists() and log.stat().st_size > 0, os.WIFSIGNALED(status)

    def measure(self, kind: str) -> None:
        """How long it takes when nobody kills it, which is the span that the moments are drawn from."""
        began = time.monotonic()
        self.strike(kind, None)
        self.spans[kind] = time.monotonic() - began


def held_backup(path: Path) -> list[str]:
    with Gallery.open(path, log=False) as gallery:
        return gallery.check()


def kill(folder: Path, kills: int, seed: int) -> dict[str, int]:
    """Kill `kills` processes in turn at enrolment, batch and reindex; what was done and found."""
    folder.mkdir(parents=True)
    for number in range(CLIPS):
        clip(folder / "clips" / f"clip{number:02}.npz", (NARROW, 0, 2), (WIDE, 0, 2))
    killer = Killer(folder, random.Random(seed))
    killer.measure("enrol")
    killer.measure("reindex")
    killer.afresh()
    killer.measure("batch")
    killer.afresh()
    killed = 0
    while killed < kills:
        kind = killer.rng.choice(["enrol", "batch", "reindex", "reindex"])
        if kind == "batch" and killer.encoder().name != ShoulderEncoder.name:
            kind = "reindex"
        if kind == "reindex" and not killer.done:
            kind = "enrol"
        killed += killer.cycle(kind)
    return dict(killer.told)


def crowd(folder: Path, processes: int, clips: int) -> dict[str, int]:
    """Let `processes` enrol `clips` each and search after each, all at once from the gallery's making on."""
    folder.mkdir(parents=True)
    for number in range(processes * clips):
        clip(folder / f"p{number % processes}" / f"clip{number}.npz", (NARROW, 0, 2), (WIDE, 0, 2))
    path, encoder = folder / "gallery.db", ShoulderEncoder()

    def work(own: int) -> None:
        for number, file in enumerate(sorted((folder / f"p{own}").iterdir())):
            with open_with(path, encoder) as gallery:
                enroll(file, gallery=gallery, embedder=encoder, name=f"someone {own % 3}" if number % 2 else None)
                (result,) = search(file, gallery=gallery, embedder=encoder)
                assert [track.decision for track in result.tracks] == ["match", "match"], result.json()

    children = []
    for own in range(processes):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                work(own)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    codes = [os.waitpid(child, 0)[1] for child in children]
    assert codes == [0] * processes, codes
    there = held(path)
    assert len(there) == processes * clips
    assert set(there.values()) == {2}
    with open_with(path, encoder) as gallery:
        events = Counter(entry.event for entry in gallery.log())
        names = [person.name for person in gallery.people()]
    assert events["enrolled"] == 2 * processes * clips
    assert len(names) == len(set(names)) == 2 * processes * clips
    return {"processes": processes, "clips": len(there), "people": len(names), **events}


if __name__ == "__main__":
    what, where, *numbers = sys.argv[1:]
    began = time.monotonic()
    found = {"kill": kill, "crowd": crowd}[what](Path(where), *map(int, numbers))
    sys.stdout.write(json.dumps({**found, "seconds": round(time.monotonic() - began, 1)}) + "\n")
