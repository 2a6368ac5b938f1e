"""The HTTP server: an API and a web page over recognizer files and a gallery.

It needs the packages of the extra `serve`; import from its modules, not from here.
"""
