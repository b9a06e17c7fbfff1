"""Writing: upserts and deletes, sealing, merging, compaction, garbage collection."""
