"""The shapes of Block Kit as Slack checks them: blocks, elements, inputs.

It judges what it is given. It mends nothing and holds no state.
"""
