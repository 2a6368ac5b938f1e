"""Measure what the similarities of an embedder mean, for its card."""
