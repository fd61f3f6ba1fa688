"""The embeddings of a gallery as arrays, checked: what every index is built from."""

from collections.abc import Iterator

import numpy as np

from pipeline.database import Database
from pipeline.gallery_file import damaged
from pipeline.values import Progress, silent

BATCH = 4096


def embeddings(database: Database, after: int, dim: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(n,) ids above `after`, rising, and their (n, dim) float32 unit vectors, in portions.

    Raises GalleryError where one is damaged.
    """
    sql = "SELECT id, embedding FROM templates WHERE id > ? ORDER BY id LIMIT ?"
    while batch := list(database.rows(sql, (after, BATCH))):
        if any(len(embedding) != 4 * dim for _, embedding in batch):
            raise damaged(database.path, "an embedding of the wrong size")
        vectors = np.frombuffer(b"".join(embedding for _, embedding in batch), "<f4").reshape(-1, dim)
        if not np.isfinite(vectors).all():
            raise damaged(database.path, "an embedding that is not finite")
        yield np.array([template for template, _ in batch], np.int64), vectors.astype(np.float32)
        after = int(batch[-1][0])


def all_embeddings(database: Database, count: int, dim: int, progress: Progress = silent) -> np.ndarray:
    """(count, dim) float32 in the order of their ids; within a snapshot in which there are `count` of them.

    Raises GalleryError where one is damaged.
    """
    vectors = np.empty((count, dim), np.float32)
    done = 0
    for _, part in embeddings(database, 0, dim):
        vectors[done : done + len(part)] = part
        done += len(part)
        progress("reading templates", done, count)
    return vectors
