"""A Model Context Protocol server: assistants search indexes of code, notes and pictures."""
