"""Commands of `mien dataset`."""
