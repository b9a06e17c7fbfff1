"""Students of any module's features."""
