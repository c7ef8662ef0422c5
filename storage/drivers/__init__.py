"""What the drivers of the databases are told: time-outs, and what a pooler in between may not be asked.

No table is known here, and no statement of ours is made.
"""
