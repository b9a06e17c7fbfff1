"""From proven variants to a bundle on disk, its model card, and the report."""
