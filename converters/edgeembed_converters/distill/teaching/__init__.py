"""Shared by all distillations: the teacher, its texts, and how near a student comes to it."""
