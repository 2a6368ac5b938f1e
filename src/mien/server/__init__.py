"""The server: an API and a page over recognizer files and a living gallery.

Heavy, and made of the extra `serve`: import what is needed from its modules.
"""
