"""One reader a dataset, one file each; every reader gives `SkeletonSequence`s with identity, session and view.

This file imports nothing, so that a command line can check names before anything heavy is loaded.
"""

PROTOCOLS: dict[str, tuple[str, ...]] = {
    "kgbd": ("last-walk", "disjoint", "open-gallery"),
    "kgbd-arrays": ("given",),
    "ks20": ("random", "cross-view"),
    "ias": ("A", "B", "A-B", "B-A"),
    "biwi": ("given", "Still", "Walking", "Still-Walking", "Walking-Still"),
    "casia-b": ("cross-view", "cross-condition"),
    "footage": ("last-session",),
}
"""The protocols that each dataset is evaluated under; `smsge.protocols` says what each of them is."""

DATASET_NAMES = tuple(PROTOCOLS)

WHOLE_WALKS = frozenset({"kgbd", "footage"})
"""Datasets whose sequences are whole walks. The others come cut into clips that do not tell their walk, so that no
figure of theirs can be by track."""
