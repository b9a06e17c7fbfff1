"""The demo: a real model and real texts that are on the machine already."""
