"""The same recognizer in other vessels: what each is made of, how big it is, whether it agrees."""
