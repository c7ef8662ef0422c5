"""Why a rule says what it says of one thing: its clauses, its alert, and what stands in the way of that.

It reads and tells. It judges nothing by itself, moves no alert and writes nothing.
"""
