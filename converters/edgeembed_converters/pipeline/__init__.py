"""From a loaded source to proven variants, step by step."""
