"""Looking after an index: statistics, scans, backup, verification, repair."""
