"""The service: its jobs, each a function of `now`, the ticker that runs them, and their start and stop.

Only here is a clock read and the network awaited; no call is made inside a transaction.
"""
