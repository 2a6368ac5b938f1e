"""A gallery as a file or from a dataset: export, import."""
