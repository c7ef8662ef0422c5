"""Where the paths of a condition begin, as `driver.sessions` does with whoever charges. It reads nothing of anybody."""

DRIVER = "driver"
"""Whoever charges in a session, known by the id tag alone: a path starts there, and no rule looks at one."""


def starts_at(path: str) -> str:
    """The thing that tells where a path of RELATIONS begins: of a driver's sessions, the session of a tag."""
    start = path.split(".", maxsplit=1)[0]
    return "session" if start == DRIVER else start
