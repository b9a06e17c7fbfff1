"""What every command shares: errors, output, targets."""
