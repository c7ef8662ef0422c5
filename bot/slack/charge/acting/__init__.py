"""Words that act: sessions, chargers, prices, and the switch of automations.

They preview and ask; only a confirmed click is written down, and nothing is sent here.
"""
