"""The process and its doors: what runs every minute, Slack, and the command line.

It decides no alert and words no message; those are asked of the floors below.
"""
