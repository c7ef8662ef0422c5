"""Words and blocks: values written safely for Slack, Block Kit built and measured, prices and sessions as people read
them.

It knows no alert and asks no database, and nothing here decides what is said.
"""
