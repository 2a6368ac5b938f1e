"""Variants that need no new weights, compared on the people of LFW's View 1."""
