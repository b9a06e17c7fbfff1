"""Demo: a real model and real texts that the machine already has."""
