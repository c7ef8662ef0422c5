"""The service: its jobs, each a function of `now`, the ticker that runs them, and their start and stop.

Its ticker is what gives every job its `now`. No call is made inside a transaction, and no job decides or words anything
itself.
"""
