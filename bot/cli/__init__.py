"""The command line: one module a family of commands, the doctor, the demo, replay and the generated documents.

It holds no logic of its own that the service could need, and it alone knows the sandbox.
"""
