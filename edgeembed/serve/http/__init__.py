"""HTTP: keys, caps, errors, logs and metrics, the same for every API."""
