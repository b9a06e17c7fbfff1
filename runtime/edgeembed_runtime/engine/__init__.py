"""The engine: runs a bundle's graphs on this machine."""
