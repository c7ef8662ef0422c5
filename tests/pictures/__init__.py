"""Pictures of what people see: the main messages, the modals and the Home tab, taken in Chromium from the demo.

`python -m tests.pictures FOLDER` takes them; it checks nothing, and people look at them.
"""
