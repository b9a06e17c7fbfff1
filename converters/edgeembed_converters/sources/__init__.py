"""Sources: readers of trained encoders, which return a `TextSource`, `ImageSource` or both."""
