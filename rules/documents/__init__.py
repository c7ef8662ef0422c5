"""Rules as people write them, in YAML or typed into a chat: read, checked and frozen, with routes, quiet hours and
schedules.

It reads text and files; it may not ask a database or a clock.
"""
