"""The stand-in workspace: people, channels, messages, views, and the payloads that an app is sent.

It serves nothing over the network by itself and knows no page.
"""
