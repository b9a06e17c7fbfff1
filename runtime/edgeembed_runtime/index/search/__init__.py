"""From a query to hits: dense, keyword, or both fused; and lookups by key."""
