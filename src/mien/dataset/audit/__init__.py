"""Check a finished dataset: wrong labels, leaks between sides, and pages to review them."""
