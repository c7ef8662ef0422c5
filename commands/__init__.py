"""What is done to chargers and prices, and the automations that ask for it: request, check, approve, send, verify.

It calls nothing outside and posts nothing: a request is a row, which `bot` sends, and what came of it is told by rows
of `notify`.
"""
