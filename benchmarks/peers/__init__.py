"""Mien and its peers, each in a virtual environment and processes of its own."""
