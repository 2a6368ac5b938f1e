"""Run a deployment on this machine and compare its answers with the library."""
