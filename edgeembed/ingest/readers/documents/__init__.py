"""Readers of office documents, spreadsheets, books and web pages, by the extra `documents`."""
