"""Checks of a finished dataset: wrong labels, leaks into validation, and pages to review them."""
