"""A living fleet, invented and deterministic by its seed: places, drivers, faults and the weeks before.

It is a source for the API and neither answers nor records anything.
"""
