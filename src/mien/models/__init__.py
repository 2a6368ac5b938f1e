"""Weights: what they are (cards), where they are kept (store), where they come from (sources)."""
