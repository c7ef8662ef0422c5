"""Logs: one line an event, for machines or for people, with every secret taken out of the finished line.

Our own events and those of the libraries pass the same way, so that no library can print a token either. A line that
says what was said within the last minute is counted instead, and no line is longer than a page.
"""

import contextlib
import json
import logging
import os
import re
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog
from dotenv import dotenv_values
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from bot.setting_purposes import SECRETS
from bot.settings import Settings

REDACTED = "[redacted]"
LOOKS_SECRET = re.compile(
    r"\bx(?:ox[a-z]|app|oxe\.xox[a-z])-[A-Za-z0-9-]{4,}"  # Slack's tokens
    r"|(?<=Bearer )[^\s\"'\\]+"
    r"|(?<=ticket=)[^\s\"'&\\]+"  # the right to open one Socket Mode connection
    r"|(?<=/commands/)T[\w/]+|(?<=/actions/)T[\w/]+"  # response URLs: who knows one may answer
)
NOISY = {
    "alembic": logging.WARNING,
    "apscheduler": logging.ERROR,
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "slack_bolt": logging.INFO,
}

REPEATS_SECONDS = 60.0
DIFFERENT_LINES = 500
LONGEST_LINE = 20_000
"""Characters: a long traceback fits, and nobody can fill the disk through a single line."""

Processor = Callable[[Any, str, Any], Any]


class Redactor:
    """Takes secrets out of text: those of the settings, and whatever looks like one of Slack's."""

    def __init__(self, secrets: Sequence[str]) -> None:
        whole = {secret for secret in secrets if secret}
        # as JSON writes them, and as Python's repr does
        written = whole | {json.dumps(secret)[1:-1] for secret in whole} | {repr(secret)[1:-1] for secret in whole}
        self._secrets = sorted(written, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, REDACTED)
        return LOOKS_SECRET.sub(REDACTED, text)


@dataclass(slots=True)
class _Said:
    """A line that was written, when, and how often it came again since."""

    at: float
    record: logging.LogRecord
    again: int = 0


class CountingHandler(logging.StreamHandler[TextIO]):
    """Writes a line once in REPEATS_SECONDS, and then how often it would have been written since.

    A line is the same with the same words, facts and kind of error; `ticks` are seconds that never go back.
    """

    def __init__(self, stream: TextIO, ticks: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._ticks = ticks
        self._said: dict[Any, _Said] = {}

    def handle(self, record: logging.LogRecord) -> bool:
        """Write a line, or count it; before it, what was counted is told where a minute is over."""
        key = _same(record)
        with self.lock or contextlib.nullcontext():
            now = self._ticks()
            self._tell(now - REPEATS_SECONDS)
            said = self._said.get(key)
            if said is not None:
                said.again += 1
                return False
            if len(self._said) >= DIFFERENT_LINES:
                self._tell(now)
            self._said[key] = _Said(now, record)
            self.emit(record)
        return True

    def close(self) -> None:
        """Say what was counted, at the process's end."""
        self._tell(self._ticks())
        super().close()

    def _tell(self, until: float) -> None:
        """Say of each line written until then how often it came again, and forget it."""
        over = [key for key, said in self._said.items() if said.at <= until]
        for said in [self._said.pop(key) for key in over]:
            if said.again:
                self.emit(_count(said))


def _same(record: logging.LogRecord) -> Any:
    """What makes two lines the same."""
    kind = record.exc_info[0] if record.exc_info else None
    if isinstance(record.msg, dict):  # one of ours, on its way to the renderer
        facts = {name: value for name, value in record.msg.items() if name != "timestamp"}
        # a traceback names other lines of code each time that a task is cut off elsewhere
        facts["exception"] = str(facts.get("exception") or "").strip().rpartition("\n")[2]
        return record.name, record.levelno, repr(sorted(facts.items(), key=lambda fact: fact[0]))[:2_000]
    return record.name, record.levelno, str(record.getMessage())[:2_000], kind


def _count(said: _Said) -> logging.LogRecord:
    event = said.record.msg.get("event") if isinstance(said.record.msg, dict) else said.record.getMessage()
    text = f"said {said.again} times more within a minute: {str(event)[:200]}"
    return logging.LogRecord("bot.logs", said.record.levelno, "", 0, text, None, None)


def secrets_of(settings: Settings) -> list[str]:
    """Every secret that the settings hold, the database's password among them."""
    held = [getattr(settings, name.lower()) for name in SECRETS]
    password = make_url(settings.database_url).password
    return [value.get_secret_value() for value in held if value is not None] + ([str(password)] if password else [])


def configure_logs(settings: Settings, stream: TextIO | None = None) -> None:
    """Send all logs of this process to `stream` (standard error), in the form that LOG_FORMAT names."""
    redact = Redactor(secrets_of(settings))
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    render: Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if settings.log_format == "console":
        render = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)

    def render_redacted(logger: Any, method: str, event: Any) -> str:
        line = redact(str(render(logger, method, event)))
        return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]} [{len(line) - LONGEST_LINE} more]"

    out = CountingHandler(stream or sys.stderr)
    out.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render_redacted],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [out]
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    for name, level in NOISY.items():
        logging.getLogger(name).setLevel(level)
    logging.getLogger("slack_bolt.AsyncApp").addFilter(_is_news)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _is_news(record: logging.LogRecord) -> bool:
    # Bolt reads SLACK_BOT_TOKEN itself and warns that the client, or our own answer, which hold the same token, win
    told = record.getMessage()
    return "`token` will be unused" not in told and "`installation_store`/`authorize`" not in told


def tell_end(told: str | None, error: BaseException, stream: TextIO | None = None) -> None:
    """Say as one line of JSON why the process ends, also where no settings could be read.

    `told` is what a person can mend; without it the traceback is given.
    """
    hidden = [value for name in SECRETS if (value := os.environ.get(name))]
    if password := _password_in(os.environ.get("DATABASE_URL", "")):
        hidden.append(password)
    line: dict[str, Any] = {"event": "the process ends", "level": "critical", "error": told or type(error).__name__}
    line["timestamp"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    if told is None:
        line["exception"] = "".join(traceback.format_exception(error)).strip()
    text = Redactor(hidden)(json.dumps(line, ensure_ascii=False))
    print(text, file=stream or sys.stderr, flush=True)


def _password_in(url: str) -> str | None:
    try:
        return make_url(url).password
    except (ArgumentError, ValueError):
        return None


def wants_json() -> bool:
    """Whether logs are for machines, by the environment or `.env` alone: the settings may be what is wrong."""
    given = os.environ.get("LOG_FORMAT") or dotenv_values(".env").get("LOG_FORMAT")
    return given == "json"
