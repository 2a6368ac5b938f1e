"""Export a gallery to a file; import a file or a dataset."""
