"""One message for many problems: a storm in one evaluation or at one site, and what was so when a rule was switched on.

Nothing here drops an incident or moves an alert: each keeps its rows, and only who says them is chosen.
"""
