"""What whoever runs the service relies on: its database's size, its metrics, its heartbeat, and who leads.

It decides nothing about chargers, alerts or messages.
"""
