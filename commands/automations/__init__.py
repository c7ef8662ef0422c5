"""What rules do about their own alerts: each step planned with the firing, decided once, followed to its outcome.

It asks for commands through the same rows as people do, and may neither send one nor move an alert.
"""
