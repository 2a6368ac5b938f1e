"""Identification (1:N) of held-out photos, and comparison of two recognizers."""
