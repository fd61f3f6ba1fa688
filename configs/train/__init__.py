"""One YAML file per training run."""
