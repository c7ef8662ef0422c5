"""Measurements of Chargehand, each against a named peer or floor in the same run; `python -m bench` makes them all.

Nothing of the product imports this room. It judges nothing by time in tests: what they hold is that its worlds are
right.
"""
