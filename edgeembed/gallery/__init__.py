"""Images in one HTML page that opens anywhere: results of a search, or duplicates."""
