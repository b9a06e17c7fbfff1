"""Fine-tuning: a text encoder learns from pairs, triplets or scored pairs of texts."""
