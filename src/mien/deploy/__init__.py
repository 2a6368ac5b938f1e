"""The same recognizer in other vessels: what each is made of, how big it is, whether it agrees.

What runs inside a vessel (`service` and what it imports) needs NumPy, onnxruntime and Pillow; what
makes one needs all of Mien. So nothing is imported here.
"""
