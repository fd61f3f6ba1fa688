"""Which templates of a person to keep where they are too many: those that differ, so that every view stays covered.

Greedy k-center, each time the vector that is farthest from those chosen: Gonzalez, "Clustering to minimize the maximum
intercluster distance", Theoretical Computer Science, 1985. What is left out is at most twice as far from what is kept
as in the best choice of as many.
"""

import numpy as np

_AS_FAR = 1e-6
"""Cosines that differ by less are equal: rounding must not decide."""


def diverse(embeddings: np.ndarray, quality: np.ndarray, most: int) -> np.ndarray:
    """The numbers, ascending, of at most `most` of N vectors that are least like one another.

    embeddings: (N, D), of unit length. quality: (N,). The first is the one of the best quality; each next is the one
    whose greatest cosine to those chosen is the least, of equals the one of the better quality, then the earlier one.
    Raises ValueError for most < 1.
    """
    if most < 1:
        raise ValueError(f"at least one must be kept, not {most}")
    if len(embeddings) <= most:
        return np.arange(len(embeddings))
    chosen = [int(np.argmax(quality))]
    likeness = embeddings @ embeddings[chosen[0]]
    while len(chosen) < most:
        likeness[chosen] = np.inf
        farthest = np.flatnonzero(likeness <= likeness.min() + _AS_FAR)
        chosen.append(int(farthest[np.argmax(quality[farthest])]))
        likeness = np.maximum(likeness, embeddings @ embeddings[chosen[-1]])
    return np.sort(chosen)
