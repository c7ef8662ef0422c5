"""Accounts that speak otherwise than EOSVOLT.md assumes: their paths, words, envelopes and manners of paging.

Each is a front of the plain stand-in API: it has no world and no rule of its own, and only translates.
"""
