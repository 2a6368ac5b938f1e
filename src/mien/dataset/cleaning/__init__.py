"""Choose the face of each photo, and find doubtful entries; nothing is deleted."""
