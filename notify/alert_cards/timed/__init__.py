"""What time alone makes of alerts that fire: how grave they have become. What that says is written as other cards' words.

It moves no alert and looks at no rule's condition.
"""
