"""The stand-in workspace over the network: Slack's addresses, and the page for people.

It listens on loopback and holds no state beside what it saves for a restart.
"""
