"""The rules in force: synchronised with files, made and changed in Slack, versioned, listed and documented.

It may not judge a subject itself: what a change does to alerts is asked of `rules.alerts`.
"""
