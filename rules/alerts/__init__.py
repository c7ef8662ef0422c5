"""Alerts and events: matched, advanced, grouped into incidents, and muted, all as rows.

It may not decide how an alert moves (`rules.lifecycle` does), and it sends nothing.
"""
