"""The Encoder: a loaded bundle that turns texts and images into vectors."""
