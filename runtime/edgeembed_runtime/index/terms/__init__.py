"""From a text or a query to the terms of the keyword table: folded, split, and whole."""
