"""Moves a gallery to another encoder: every stored skeleton is embedded again, without the footage."""

from collections.abc import Iterator

import numpy as np

from pipeline import audit, backups, keeping
from pipeline.database import Database
from pipeline.errors import GalleryError
from pipeline.gallery_file import damaged
from pipeline.records import EncoderId
from pipeline.rows import VECTORS, decode
from pipeline.templates import Embedder, encoder_id
from pipeline.values import Progress
from smsge.sequence import SkeletonSequence

BATCH = 256


def reindex(database: Database, held: EncoderId, embedder: Embedder, progress: Progress) -> int:
    """Replace all embeddings (now of the encoder `held`), the fingerprint, name and size, in one transaction; how many.
    A backup is made beside the gallery first. Its own thresholds, of another encoder's similarities, are dropped.

    The encoder works before the transaction, so that others can enrol meanwhile; what they added is embedded inside it.
    Raises WrongEncoderError where the skeletons were made in another way than now; GalleryError where that encoder
    fails or gives anything but unit vectors, and where there is no room for the backup. Nothing is changed then.
    """
    keeping.require_skeletons(database.path, held, encoder_id(embedder))
    ((total,),) = database.rows("SELECT count(*) FROM templates")
    vectors: dict[int, bytes] = {}
    for batch in _embedded(database, held.dim, embedder, after=0):
        vectors.update(batch)
        progress("re-embedding", min(len(vectors), total), total)
    with database.transaction():
        backups.make(database, "reindex")
        for batch in _embedded(database, held.dim, embedder, after=max(vectors, default=0)):
            vectors.update(batch)
        for template, embedding in vectors.items():
            database.change("UPDATE templates SET embedding = ? WHERE id = ?", (embedding, template))
        if keeping.encoder_of(database)[0].fingerprint != embedder.fingerprint:
            keeping.drop_thresholds(database)
        database.change(
            "UPDATE gallery SET fingerprint = ?, encoder = ?, dim = ?, revision = revision + 1",
            (embedder.fingerprint, embedder.name, embedder.dim),
        )
        audit.record(database, "reindexed")
        ((count,),) = database.rows("SELECT count(*) FROM templates")
    progress("re-embedding", count, count)
    return int(count)


def _embedded(database: Database, dim: int, embedder: Embedder, after: int) -> Iterator[dict[int, bytes]]:
    """The new embeddings of the templates with ids above `after`, a batch at a time."""
    sql = f"SELECT id, {VECTORS} FROM templates WHERE id > ? ORDER BY id LIMIT ?"
    while batch := list(database.rows(sql, (after, BATCH))):
        ids = [int(row[0]) for row in batch]
        yield dict(zip(ids, _embed(embedder, [_skeleton(database, row[1:], dim) for row in batch]), strict=True))
        after = ids[-1]


def _skeleton(database: Database, row: tuple[object, ...], dim: int) -> SkeletonSequence:
    try:
        return decode(row, dim)[2]
    except ValueError as error:
        raise damaged(database.path, str(error)) from error


def _embed(embedder: Embedder, skeletons: list[SkeletonSequence]) -> list[bytes]:
    try:
        vectors = np.asarray(embedder.embed(skeletons), np.float32)
    except (ValueError, RuntimeError) as error:  # stretches too short for it, another layout, no memory left
        reason = " ".join(str(error).split())[:160]
        raise GalleryError(
            f"the encoder {embedder.name} cannot embed what is in the gallery ({reason}): nothing was changed,"
            " use another encoder"
        ) from error
    if vectors.shape != (len(skeletons), embedder.dim) or not np.allclose(
        np.linalg.norm(vectors, axis=1), 1, atol=1e-3
    ):
        raise GalleryError(
            f"the encoder {embedder.name} does not give unit vectors: nothing was changed, check its weights"
        )
    return [vector.astype("<f4").tobytes() for vector in vectors]
