"""Near-clones: functions that say nearly the same."""
