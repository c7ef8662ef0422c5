"""A backtest seen as a whole: what every poll would have answered, asked at once, for rules of a few plain fields.

What is true the compiled rule says, and how an alert moves the lifecycle; neither is said again here. What this room
leaves out is the recording of each poll and the looking at it.
"""
