"""The page that a server shows to a person."""
