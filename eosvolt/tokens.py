"""Where the bearer token comes from: a text, or a file that is read again when EOSVOLT refuses the token.

The token leaves this object only for the Authorization header; its repr, its errors and `redacted` never show it.
"""

from collections.abc import Callable
from pathlib import Path

from eosvolt.errors import TokenUnusable

_REDACTED = "[token]"


class TokenSource:
    """A bearer token and the way to read it anew.

    `generation` grows each time that another token was read, so that of several refused calls only one reads it again.
    """

    __slots__ = ("_described", "_old", "_read", "_text", "generation")

    def __init__(self, read: Callable[[], str], described: str) -> None:
        self._read = read
        self._described = described
        self._text = _checked(read(), described)
        self._old: tuple[str, ...] = ()
        self.generation = 0

    @classmethod
    def from_text(cls, text: str) -> "TokenSource":
        """Take the token as given (EOSVOLT_TOKEN); raises TokenUnusable where it is empty or no header text."""
        return cls(lambda: text, "EOSVOLT_TOKEN")

    @classmethod
    def from_file(cls, path: Path) -> "TokenSource":
        """Read the token from a file (EOSVOLT_TOKEN_FILE); raises TokenUnusable where the file cannot be read."""

        def read() -> str:
            try:
                return path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "not text"
                raise TokenUnusable(f"{path} cannot be read: {reason}") from None

        return cls(read, f"the file {path}")

    def authorization(self) -> str:
        """Return the value of the Authorization header."""
        return f"Bearer {self._text}"

    def read_again(self) -> bool:
        """Read the token anew and say whether it is another one; raises TokenUnusable where it cannot be read."""
        text = _checked(self._read(), self._described)
        if text == self._text:
            return False
        self._old = (self._text, *self._old[:3])
        self._text = text
        self.generation += 1
        return True

    def redacted(self, text: str) -> str:
        """Return the text with every occurrence of this token, and of those before it, taken out."""
        for secret in (self._text, *self._old):
            if secret in text:
                text = text.replace(secret, _REDACTED)
        return text

    def __repr__(self) -> str:
        return f"TokenSource({self._described})"


def _checked(text: str, described: str) -> str:
    token = text.strip()
    if not token:
        raise TokenUnusable(f"{described} is empty")
    # A line break or a letter outside ASCII would be refused further down, by an error that shows the token.
    if not token.isascii() or not token.isprintable() or " " in token:
        raise TokenUnusable(f"{described} holds something else than one token")
    return token
