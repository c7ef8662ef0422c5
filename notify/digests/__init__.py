"""Digests: their slots, each said exactly once, and the figures of a local day that they tell.

It enqueues and corrects. It renders nothing and posts nothing.
"""
