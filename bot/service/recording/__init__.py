"""How what polls brought is written down: under the ids that the contract makes, in slices, with how each poll went.

Good or bad, what came is kept. Nothing here asks EOSVOLT anything or evaluates a rule.
"""
