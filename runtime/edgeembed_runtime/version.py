"""The version of edgeembed: one number for the wheel and its three import packages."""

__version__ = "0.1.0"
