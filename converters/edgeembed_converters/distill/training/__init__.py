"""Shared by all distillations: the training loop, losses, checkpoints, the teacher."""
