"""Digests: their slots, each said exactly once, and the figures of a local day that they tell.

It enqueues and corrects; it renders and posts nothing.
"""
