"""What every wire format asks of the engine, and what it answers."""
