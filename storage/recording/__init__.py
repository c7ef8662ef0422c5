"""How what was read is written down: the kinds of things, rows that readings say, energies, prices.

Each is a part of one transaction that `storage.record` or `storage.polls` makes. It judges no rule and reads no clock.
"""
