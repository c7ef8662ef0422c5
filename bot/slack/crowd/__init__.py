"""What keeps Chargehand quick where many people ask at once: turns, and work that is done together.

It holds no words, no rights and no listener, and knows nothing of Bolt.
"""
