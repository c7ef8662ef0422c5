"""Which addresses an answer may be sent to: Slack's own for response URLs, and those of SLACK_API_URL.

What stands behind the host is a secret, because whoever knows it may answer: it is shown nowhere.
"""

import re
from functools import cache
from urllib.parse import urlsplit

SLACK_HOOKS = ("https://hooks.slack.com", "https://hooks.slack-gov.com")
"""Where Slack says that response URLs stand: docs.slack.dev/interactivity/handling-user-interaction, and GovSlack."""
PLAIN = re.compile(r"[!-\[\]-~]+")
"""Visible ASCII without a backslash: whatever readers of addresses disagree about is not in it."""


def is_slacks(url: object, api_url: str) -> bool:
    """Whether an address is one that Slack answers at, or that is on the scheme, host and port of SLACK_API_URL."""
    if not isinstance(url, str) or PLAIN.fullmatch(url) is None:
        return False
    return any(url.startswith(f"{origin}/") for origin in (*SLACK_HOOKS, _origin(api_url)))


def shown(url: object) -> str:
    """The scheme and host of an address, for a log line."""
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
    except ValueError:
        return "no address"
    return f"{parts.scheme}://{parts.hostname}" if parts.hostname else "no address"


@cache
def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
