"""Slack as the service meets it: the client that posts, the doors that receive, and who may do what.

It knows no job and no schedule, and writes an intent down before it acknowledges it.
"""
