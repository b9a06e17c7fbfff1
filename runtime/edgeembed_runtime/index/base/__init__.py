"""What every part of the index stands on: settings, result types, file layout, validation."""
