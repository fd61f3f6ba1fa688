"""One YAML file per evaluation."""
