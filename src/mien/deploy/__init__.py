"""Deployments of a recognizer: a Lambda function, an app, a static page; and their parity check.

The code inside a deployment (`service` and what it imports) needs NumPy, onnxruntime and Pillow;
the code that makes one needs all of Mien. So this module imports nothing.
"""
