"""Data sets as people have them: csv, tsv, jsonl or BEIR folders, read and checked."""
