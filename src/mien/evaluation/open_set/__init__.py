"""Open-set identification: enrolled people and strangers searched in a gallery."""
