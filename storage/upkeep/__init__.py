"""Looking after what is stored: how long each table keeps its rows, pruning, copies, checks, and forgetting a person.

Nothing here reads a clock, polls or evaluates, and no rule or message is decided here.
"""
