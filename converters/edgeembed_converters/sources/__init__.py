"""Sources: where a trained encoder comes from, read into `TextSource`, `ImageSource` or both."""
