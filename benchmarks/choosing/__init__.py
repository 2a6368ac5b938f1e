"""Choices that need no new weights, each tried on the people of LFW's View 1."""
