"""Readers: files of one kind become blocks of text with their places."""
