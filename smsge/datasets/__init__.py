"""One reader a dataset, one file each; every reader gives `SkeletonSequence`s with identity and session."""
