"""One YAML file per way of running."""
