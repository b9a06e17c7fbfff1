"""The SQLite catalog: documents, keyword table, and the only commit point."""
