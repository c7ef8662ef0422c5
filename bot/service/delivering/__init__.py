"""Delivery: from what is due in the outbox to what stands in Slack, a worker a channel, at each channel's pace.

A kill at any instant loses no message, and doubles none where the channel's history can be read. It decides neither
what is said nor where: the outbox row does. No call is made inside a transaction.
"""
