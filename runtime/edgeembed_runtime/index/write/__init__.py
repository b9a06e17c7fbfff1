"""Writing: commits, merges, compaction, garbage collection."""
