"""Chaos for as long as asked: services are killed and frozen, Slack and EOSVOLT answer late, wrongly or not at all.

At the end everything is healed, and what Slack's side holds is compared with what should have been said. It is no part
of the product.
"""
