"""Records, rows and cells: CSV, JSON, JSON Lines, YAML, notebooks."""
