"""The polls of EOSVOLT: what is due, at which pace, asked for by a job a resource, and prices location by location.

It writes down no answer itself (`bot.service.recording` does), and evaluates nothing but what it hands to be evaluated.
"""
