"""Training jobs: uploaded photos to a recognizer and its report."""
