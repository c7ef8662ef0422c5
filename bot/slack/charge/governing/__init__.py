"""Words about Chargehand itself: who may do what, who did what.

They read and write its own tables, and do nothing to a charger or a rule.
"""
