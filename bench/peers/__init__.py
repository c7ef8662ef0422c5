"""What the figures are compared with: Prometheus, bare SQLite, a bare Bolt application.

None of them knows the service; they are given the same rows, the same rules and the same requests.
"""
