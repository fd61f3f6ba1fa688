"""Which clips were cut from one recording, where nothing says so but the clips themselves."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def recordings(clips: NDArray[np.float32], identities: list[str]) -> list[int]:
    """(N, F, J, 3) and whose they are -> N numbers, 1, 2, 3 … for each identity in order of first appearance.

    Clips of one identity that share a frame, bit for bit, are of one recording, and so are all that hang together by
    such pairs: the connected components of the graph between clips and distinct frames. A sensor's noise makes no two
    recordings share one; clips of one recording that do not overlap are not recognised.
    """
    n, f = clips.shape[:2]
    seen: dict[tuple[str, bytes], int] = {}
    frame = np.array([
        seen.setdefault((identity, skeleton.tobytes()), len(seen))
        for identity, clip in zip(identities, clips, strict=True)
        for skeleton in clip
    ])  # fmt: skip
    nodes = n + len(seen)
    links = coo_array((np.ones(n * f, bool), (np.repeat(np.arange(n), f), n + frame)), shape=(nodes, nodes))
    component = connected_components(links, directed=False)[1][:n].tolist()
    numbers: dict[int, int] = {}
    count = dict.fromkeys(identities, 0)
    for identity, label in zip(identities, component, strict=True):
        if label not in numbers:
            count[identity] += 1
            numbers[label] = count[identity]
    return [numbers[label] for label in component]
