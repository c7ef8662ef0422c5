"""Tells a request that Slack signed from any other, by its headers first and then by its body.

Slack: docs.slack.dev/authentication/verifying-requests-from-slack. It logs nothing and calls nobody.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

OLDEST_SECONDS = 5 * 60
TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
SIGNATURE = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)


class RequestRefused(Exception):  # noqa: N818 - read as what happened
    """A request is not taken; `status` is the answer's, the text says why and holds nothing of the request."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request's headers say of its signature; of the right form, not proved yet."""

    timestamp: str
    signature: str


def read_claim(headers: Mapping[str, str]) -> Claim:
    """What the headers claim; raises RequestRefused where they cannot be of a request that Slack signed."""
    timestamp = headers.get("x-slack-request-timestamp")
    signature = headers.get("x-slack-signature")
    if timestamp is None or signature is None:
        raise RequestRefused(401, "it is not signed")
    if TIMESTAMP.fullmatch(timestamp) is None or SIGNATURE.fullmatch(signature) is None:
        raise RequestRefused(401, "its signature is none")
    return Claim(timestamp, signature)


def check_signature(claim: Claim, body: bytes, secret: str, now: float) -> None:
    """Return for a request that Slack signed within the last 5 minutes of `now` (seconds since 1970).

    Raises RequestRefused; of a good signature that is too old it says so, because then a clock is wrong.
    """
    base = b"v0:" + claim.timestamp.encode() + b":" + body
    expected = "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, claim.signature):
        raise RequestRefused(401, "its signature is wrong")
    if abs(now - int(claim.timestamp)) > OLDEST_SECONDS:
        raise RequestRefused(401, "Slack signed it over 5 minutes ago or ahead: is this machine's clock right?")
