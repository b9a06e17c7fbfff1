"""A model's own files: weights, licenses, image processors, transforms."""
