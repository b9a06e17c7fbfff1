"""Search results as people read them: where, how sure, which sentence; and as a page."""
