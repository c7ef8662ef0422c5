"""What SQLAlchemy compiled, kept for all databases of one kind in the process.

An engine remembers it for itself alone, so that each scratch database (a backtest, a replay) would begin by compiling
what the service compiled before. Nothing of it depends on which database it is asked of: all of one kind are opened in
one way, by `storage.engine`. Values are given at each run and no rows are held.
"""

from collections.abc import Iterator, MutableMapping
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.util import LRUCache

MOST_COMPILED = 768
"""How many statements are kept compiled for each kind of database, before half as many again are forgotten."""


class Compiled(MutableMapping[tuple[Any, ...], Any]):
    """Statements as one kind of database takes them, found again whichever engine of this kind asks."""

    def __init__(self) -> None:
        self._kept: LRUCache[tuple[Any, ...], Any] = LRUCache(MOST_COMPILED)

    def __getitem__(self, key: tuple[Any, ...]) -> Any:
        return self._kept[key[1:]]

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        """What was compiled for this key, whose first part is the dialect that asks."""
        return self._kept.get(key[1:], default)

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        self._kept[key[1:]] = compiled

    def __delitem__(self, key: tuple[Any, ...]) -> None:
        del self._kept[key[1:]]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)


_COMPILED: dict[str, Compiled] = {}


def share(engine: Engine) -> None:
    """Let this engine use what others of its kind compiled, and they what it will."""
    engine.update_execution_options(compiled_cache=_COMPILED.setdefault(engine.dialect.name, Compiled()))
