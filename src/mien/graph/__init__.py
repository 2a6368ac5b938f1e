"""The stages of the face pipeline as ONNX graphs, and their assembly into one file."""
