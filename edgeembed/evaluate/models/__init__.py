"""Models to evaluate, behind one protocol."""
