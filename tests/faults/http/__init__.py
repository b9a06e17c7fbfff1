"""Requests that break HTTP, or the rules of an API, and clients that take their time."""
