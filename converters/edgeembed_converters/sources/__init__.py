"""Sources: where a trained encoder comes from, read into one form, `TextSource`."""
