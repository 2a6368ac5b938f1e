"""What `field.py` measures, a module a stage."""
