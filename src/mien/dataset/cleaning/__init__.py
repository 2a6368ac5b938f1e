"""Choose the face of each photo and find what is doubtful; nothing is deleted."""
