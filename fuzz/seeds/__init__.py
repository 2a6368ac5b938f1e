"""The first inputs of each target, made from nothing: `python -m fuzz corpus` writes them."""
