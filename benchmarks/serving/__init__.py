"""A real server in its own process, clients, and damaged photos."""
