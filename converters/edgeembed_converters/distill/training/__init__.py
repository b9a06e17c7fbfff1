"""What every distillation shares: the loop, losses, checkpoints, the teacher."""
