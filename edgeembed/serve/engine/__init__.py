"""The engine behind the APIs: models, indexes, and whose work runs next."""
