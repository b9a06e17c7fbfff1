"""What every reader takes and gives."""
