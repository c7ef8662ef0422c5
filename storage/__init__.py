"""What is known, kept: the tables, the engine, what polls recorded, and the queries that several floors ask.

It judges no rule, calls nothing, and words nothing for people.
"""
