"""A stand-in for the outside world: an EOSVOLT API with a living fleet or recorded data, and a Slack workspace.

It imports nothing of the service that is tried against it.
"""
