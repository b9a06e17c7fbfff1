"""Towers: how each kind of input's encoder is exported, proven and made smaller."""
