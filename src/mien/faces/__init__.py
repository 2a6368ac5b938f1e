"""Faces of a photo: select one, cut it out, draw names on a copy."""
