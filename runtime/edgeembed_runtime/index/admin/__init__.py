"""Maintenance of an index: statistics, full scans, backup, verification, repair."""
