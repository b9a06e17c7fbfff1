"""Reports: an evaluation as a table, as JSON, and as a page to show to colleagues."""
