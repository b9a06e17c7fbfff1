"""An index opened with what its searches need, and how they are run."""
