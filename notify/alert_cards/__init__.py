"""The card of an incident and its thread: when one is due, what it says, what keeps it quiet, what speaks again.

It writes outbox rows, and notes at alerts and incidents what was said and who put them off. It moves no alert, and it
posts nothing.
"""
