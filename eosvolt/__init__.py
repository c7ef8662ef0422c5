"""The outside world: the EOSVOLT API as one declarative contract, a client that reads and posts, models and errors.

It knows nothing of the house: no database, no rule, no Slack.
"""
