"""Logs: one line an event, for machines or for people, with every secret taken out of the finished line.

Our own events and those of the libraries pass the same way, so that no library can print a token either.
"""

import json
import logging
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, TextIO

import structlog
from sqlalchemy.engine import make_url

from bot.settings import SECRETS, Settings

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
        return redact(str(render(logger, method, event)))

    out = logging.StreamHandler(stream or sys.stderr)
    out.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render_redacted],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [out]
    root.setLevel(logging.INFO)
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
    # Bolt reads SLACK_BOT_TOKEN itself and warns that the client, which holds the same token, wins
    return "`token` will be unused" not in record.getMessage()
