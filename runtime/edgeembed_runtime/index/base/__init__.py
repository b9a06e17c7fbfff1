"""What all parts of the index share: settings, result types, file layout, validation."""
