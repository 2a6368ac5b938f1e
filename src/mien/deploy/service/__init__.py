"""The HTTP service inside a deployed function or app."""
