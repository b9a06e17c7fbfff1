"""The command that serves others."""
