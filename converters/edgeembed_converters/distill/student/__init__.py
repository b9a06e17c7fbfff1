"""Students: transformers with fewer or narrower layers."""
