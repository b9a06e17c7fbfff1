"""Ingest: from files, folders and records to passages that an index takes."""
