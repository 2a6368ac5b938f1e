"""The recognizer as ONNX graphs: each stage written once, and their assembly into one file."""
