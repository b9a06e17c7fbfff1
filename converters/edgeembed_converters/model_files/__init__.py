"""What a model's own files say: weights, licenses, image processors, transforms."""
