"""From proven variants to a bundle on disk, with its model card and a report."""
