"""`edgeembed dedupe` of images and of code."""
