"""Asking for a command: what would happen, what speaks against it, and the one row that is then to be sent.

Nothing here sends, and nothing here says what came of a command.
"""
