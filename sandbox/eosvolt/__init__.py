"""The stand-in EOSVOLT API: its routes, lists, actions, dialects and faults, served in process or over the network.

It knows nothing of the service that is tried against it, and holds no world of its own.
"""
