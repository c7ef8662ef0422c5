"""Rules tried with their words: messages of rule tests and backtests rendered, and results as plain text.

Nothing here is sent, and nothing here judges a rule.
"""
