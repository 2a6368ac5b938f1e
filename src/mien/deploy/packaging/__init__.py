"""Contents of a deployment: code, libraries, packages, and their sizes."""
