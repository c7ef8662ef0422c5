"""What becomes of a command that was asked for: approved or refused, claimed, sent once, answered and verified.

Nothing here puts a command back to be sent once its call may have run, and nothing here asks for one.
"""
