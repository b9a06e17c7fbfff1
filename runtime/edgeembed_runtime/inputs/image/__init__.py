"""Images: safe opening, decoding in bounded memory, preprocessing."""
