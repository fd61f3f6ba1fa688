"""How far a share could be off by the choice of people: percentile intervals of the bootstrap by person.

Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13; of clusters as in Field and Welsh,
"Bootstrapping clustered data", J. R. Statist. Soc. B, 2007. The probes of one person succeed and fail together, so
people are drawn, with replacement, and all of a person's probes come along each time the person is drawn.
"""

import numpy as np

from smsge.pairs import Array, Labels

DRAWS, LEVEL = 1000, 0.95


def mean_interval(
    values: Array, people: Labels, draws: int = DRAWS, level: float = LEVEL, seed: int = 0
) -> tuple[float, float]:
    """The interval that holds the mean of `values` in a share `level` of the draws.

    values: (P,) a figure of each probe, such as 1 where its person came first and 0 where not, or its average
    precision. people: (P,) whose probe each is. The same seed, values and people give the same interval. (nan, nan)
    where fewer than two people have a probe: one person cannot tell how people differ.
    Raises ValueError if there is not one person for each value.
    """
    if len(values) != len(people):
        raise ValueError(f"{len(values)} values of {len(people)} probes")
    names, whose = np.unique(np.asarray(people, np.str_), return_inverse=True)
    n = len(names)
    if n < 2:
        return float("nan"), float("nan")
    sums, counts = np.bincount(whose, np.asarray(values, np.float64)), np.bincount(whose)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws)  # (draws, n): how often each
    low, high = np.quantile(drawn @ sums / (drawn @ counts), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
