"""The words of /charge, one family a file; `registry` lists them, with the rights that each needs.

They answer and write intents down; they send nothing to a charger.
"""
