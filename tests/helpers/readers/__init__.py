"""For tests of readers of files."""
