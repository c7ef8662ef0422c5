"""What can be done about an alert: the kinds of commands, the steps of a rule, and whether a step is due or helped.

It decides from facts that it is given: no database, no clock, and nothing is sent.
"""
