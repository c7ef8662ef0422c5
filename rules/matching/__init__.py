"""What a condition says of each subject now, and when that may change: conditions compiled to SQL over the stored
state.

It is the only evaluator, it writes nothing, and it knows no alert.
"""
