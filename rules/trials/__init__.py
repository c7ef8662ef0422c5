"""Rules tried before they are trusted: rule tests and backtests, run on a scratch database through the same functions.

It writes to no database that the service uses, and it holds no second evaluator.
"""
