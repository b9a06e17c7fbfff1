"""From a query to hits: dense, keyword, and both fused."""
