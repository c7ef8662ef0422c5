"""The arguments of one Web API call, whichever way slack_sdk sent them: query, form or JSON body.

It turns them into texts, flags, numbers and JSON, and refuses what cannot be turned, by Slack's names.
"""

import json
import re
from typing import Any, TypeVar

from sandbox.slack.block_kit.errors import SlackError

Json = dict[str, Any]
T = TypeVar("T")

NAME = re.compile(r"[A-Za-z0-9_\-\[\]]{1,64}")


class Arguments:
    """Arguments by name, all optional until asked for with `required`."""

    def __init__(self, given: Json) -> None:
        for name in given:
            if not NAME.fullmatch(name):
                raise SlackError("invalid_arg_name")
        self.given = given

    def text(self, name: str) -> str | None:
        """The argument as text; None when it is absent."""
        value = self.given.get(name)
        if value is None:
            return None
        return value if isinstance(value, str) else json.dumps(value)

    def required(self, name: str, error: str = "invalid_arguments") -> str:
        """The argument as text; raises `error` when it is absent or empty."""
        value = self.text(name)
        if value:
            return value
        missing = [f"[ERROR] missing required field: {name}"] if error == "invalid_arguments" else []
        raise SlackError(error, missing)

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.given.get(name)
        if value is None or value == "":
            return default
        return value in (True, 1, "1", "true", "True")

    def number(self, name: str, default: int) -> int:
        value = self.given.get(name)
        if value is None or value == "":
            return default
        try:
            return int(value)
        except (TypeError, ValueError):
            raise SlackError("invalid_arguments", [f"[ERROR] must provide a number [json-pointer:/{name}]"]) from None

    def words(self, name: str) -> list[str]:
        """A comma-separated list, or a JSON one."""
        value = self.given.get(name)
        if isinstance(value, list):
            return [str(v) for v in value]
        return [v.strip() for v in str(value or "").split(",") if v.strip()]

    def json(self, name: str, error: str = "invalid_arguments") -> Any:
        """The argument as JSON, decoded when it came as text; None when it is absent."""
        value = self.given.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return json.loads(value)
        except ValueError:
            raise SlackError(error) from None


def page_of(found: list[T], arguments: Arguments, default: int = 100, maximum: int = 1000) -> tuple[list[T], str]:
    """One page of a list by `limit` and `cursor`, and the cursor of the next one (empty at the end)."""
    limit = max(1, min(arguments.number("limit", default), maximum))
    cursor = arguments.text("cursor") or "0"
    if not cursor.isdigit():
        raise SlackError("invalid_cursor")
    start = int(cursor)
    end = start + limit
    return found[start:end], str(end) if end < len(found) else ""
