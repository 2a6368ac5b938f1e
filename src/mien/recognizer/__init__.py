"""A recognizer: one ONNX file, pixels in, names out."""

from mien.recognizer.file import Recognizer
from mien.recognizer.metadata import FORMAT, About, Weights

__all__ = ["FORMAT", "About", "Recognizer", "Weights"]
