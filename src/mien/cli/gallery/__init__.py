"""`mien gallery`."""
