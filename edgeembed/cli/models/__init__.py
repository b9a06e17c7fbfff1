"""Commands that make models small and measure them."""
