"""The light runtime of edgeembed: numpy, onnxruntime and tokenizers, nothing else.

Semi-public: apps import `edgeembed`; converters and the curious import from here.
"""
