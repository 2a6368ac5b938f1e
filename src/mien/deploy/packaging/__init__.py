"""What goes into a deployment: code, libraries, packages, and how large it is."""
