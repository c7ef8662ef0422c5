"""The card of an incident and its thread: when one is due, what it says, what keeps it quiet, what speaks again.

It writes outbox rows and reads alerts; it may not move one, and it posts nothing.
"""
