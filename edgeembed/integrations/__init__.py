"""An Encoder and an Index in other libraries: one module for each, with an extra of its name."""
