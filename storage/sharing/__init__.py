"""How several processes share one database: who may be there at all, who leads, whose turn a channel is.

Nothing here polls, evaluates or posts, and no process is asked: the database alone decides.
"""
