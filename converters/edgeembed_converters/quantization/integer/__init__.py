"""The parts of an int8 recipe: rounding, smoothing, scales, integer layers."""
