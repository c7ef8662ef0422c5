"""The words of every message, one file a message; there is no code here."""
