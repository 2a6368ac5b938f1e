"""Verification (1:1): LFW, pairs of photos, all pairs of a dataset, demographic groups."""
