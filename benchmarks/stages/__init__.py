"""The stages of `field.py`, one module each."""
