"""The wire formats of the APIs that clients know: each turns requests to jobs, answers to bytes."""
