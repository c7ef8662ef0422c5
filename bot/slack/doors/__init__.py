"""The two doors to Slack, Socket Mode and HTTP, and what every request passes before a listener hears of it.

A request that Slack did not sign reaches nothing here: no listener, no address that it names, no line of the log.
"""
