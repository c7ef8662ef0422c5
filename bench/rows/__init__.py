"""The pieces of work that are measured, a module each, as functions that give figures.

Nothing here knows what a figure is compared with: that is the table's to say.
"""
