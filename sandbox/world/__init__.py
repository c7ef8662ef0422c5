"""The world behind the stand-in API: its state, its moments and clocks, and what a source of it must do.

It reads no clock by itself and answers no request.
"""
