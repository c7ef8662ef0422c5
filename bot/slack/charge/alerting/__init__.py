"""Words about alerts and rules: what fires, why, silences, and rules made in Slack.

They move no alert themselves: they write what people asked for and leave the rest to `rules`.
"""
