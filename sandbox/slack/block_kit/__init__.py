"""The shapes of Block Kit as Slack checks them: blocks, elements, inputs.

It judges what it is given and mends nothing.
"""
