"""Mien: photos of people in, one ONNX recognizer out."""

__version__ = "0.1.0"
