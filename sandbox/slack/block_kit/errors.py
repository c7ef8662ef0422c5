"""Refusals of the stand-in Slack, by Slack's own error names.

Raises nothing else: whatever a Web API method refuses is one `SlackError`, which knows its answer's body.
"""

from typing import Any

Json = dict[str, Any]


class SlackError(Exception):
    """A refusal that Slack answers as `{"ok": false, "error": name}`.

    `messages` become `response_metadata.messages`; `extra` joins the body (`needed`, `provided`);
    `retry_after` seconds make it HTTP 429 with a Retry-After header.
    """

    def __init__(
        self, name: str, messages: list[str] | None = None, *, extra: Json | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(name if not messages else f"{name}: {'; '.join(messages)}")
        self.name = name
        self.messages = messages or []
        self.extra = extra or {}
        self.retry_after = retry_after

    @property
    def status(self) -> int:
        return 200 if self.retry_after is None else 429

    def body(self) -> Json:
        answer: Json = {"ok": False, "error": self.name, **self.extra}
        if self.messages:
            answer["response_metadata"] = {"messages": self.messages}
        return answer
