"""The parts of int8 recipes: rounding, smoothing, scales, integer layers."""
