"""Modals: how one is shown before its words are known, what its forms ask, and what is typed there turned into words.

A form writes nothing by itself: what it says is said as words of /charge, which judge rights and act. Nothing here
calls EOSVOLT.
"""
