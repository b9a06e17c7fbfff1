"""Reports of an evaluation: summaries for tables and JSON, and an HTML page."""
