"""`mien dataset`."""
