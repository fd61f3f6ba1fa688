"""The formulas of Zhong et al. 2017 as dense NumPy loops, and vectors to try them on."""

import numpy as np


def bunches(people=6, each=9, width=12, spread=0.5, seed=0):
    """(people * each, width) unit vectors about `people` directions, in mixed order, and whose they are."""
    rng = np.random.default_rng(seed)
    who = rng.permutation(np.repeat(np.arange(people), each))
    x = rng.normal(size=(people, width))[who] + spread * rng.normal(size=(len(who), width))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32), who


def naive_encoding(x, k1, k2):
    """V, after query expansion, by sets and loops."""
    n = len(x)
    squared = ((x[:, None].astype(np.float64) - x[None]) ** 2).sum(axis=2)
    ranked = np.argsort(squared, axis=1)

    def reciprocal(i, k):
        return {j for j in ranked[i, : k + 1] if i in ranked[j, : k + 1]}

    V = np.zeros((n, n))
    for i in range(n):
        own = reciprocal(i, k1)
        grown = set(own)
        for j in own:
            half = reciprocal(j, round(k1 / 2))
            if len(half & own) > 2 / 3 * len(half):
                grown |= half
        for j in grown:
            V[i, j] = np.exp(-squared[i, j])
        V[i] /= V[i].sum()
    return np.stack([V[ranked[i, :k2]].mean(axis=0) for i in range(n)])


def naive_jaccard(V):
    n = len(V)
    return np.array(
        [[1 - np.minimum(V[i], V[j]).sum() / np.maximum(V[i], V[j]).sum() for j in range(n)] for i in range(n)]
    )


def naive_reranked(probes, gallery, k1, k2, weight=0.3):
    """d* of every probe to every entry of the gallery."""
    x = np.concatenate([probes, gallery]).astype(np.float64)
    squared = ((x[:, None] - x[None]) ** 2).sum(axis=2)
    distance = (1 - weight) * naive_jaccard(naive_encoding(x, k1, k2)) + weight * squared
    return distance[: len(probes), len(probes) :]
