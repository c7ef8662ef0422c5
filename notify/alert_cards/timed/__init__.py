"""What time alone makes of alerts that fire: how grave they have become, which their cards then say.

It moves no alert and looks at no rule's condition.
"""
