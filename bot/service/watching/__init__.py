"""The service's view of itself: what is wrong, who is told of it, and the pages that say so.

It mends nothing, and moves no alert.
"""
