"""What recipes start from, what they offer, and the budget that they must meet."""
