"""Mien and its peers, each in its own virtual environment and processes."""
