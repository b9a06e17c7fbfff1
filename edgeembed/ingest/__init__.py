"""Ingest: from files, folders and JSON records to passages and images in an index."""
