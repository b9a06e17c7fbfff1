"""edgeembed's lightweight runtime: numpy, onnxruntime and tokenizers, nothing else.

Semi-public: applications import `edgeembed`; the converters import from here.
"""
