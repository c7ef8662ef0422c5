"""What is measured of a fleet: each KPI one query with a unit and a written definition, over a period of local days.

It decides nothing, says nothing and reads no clock: digests and answers of /charge ask it.
"""
