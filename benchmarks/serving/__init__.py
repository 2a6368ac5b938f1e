"""A real server in a process of its own, clients that load it, and photos damaged on purpose."""
