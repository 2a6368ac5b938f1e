"""ONNX files of strangers: read and checked before they are run, without onnx."""
