"""Which workspace and bot the token stands for: learned once, at the start where Slack can be asked, and kept.

No request waits for it: until it is known Bolt works without it, and whoever needs it is told so.
"""

import asyncio
from dataclasses import dataclass, field

import structlog
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.settings import SettingsError, missing_setting
from bot.slack.web_client import SLACK_FAULTS, error_name

log = structlog.get_logger()

ASK_AGAIN_SECONDS = 5.0
TOKEN_ERRORS = frozenset(
    {"account_inactive", "invalid_auth", "not_allowed_token_type", "not_authed", "token_expired", "token_revoked"}
)
"""Slack's error names for a token that no waiting will mend."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace with the app in it, by Slack's ids; `team` is empty where the app is installed in a whole `org`."""

    team: str
    org: str | None
    bot_user: str | None
    bot: str | None


@dataclass(slots=True)
class Identity:
    """Who we are; `known` None: Slack has not told yet."""

    slack: AsyncWebClient
    known: Workspace | None = None
    _asked_at: float | None = None
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def learn(self) -> None:
        """Ask Slack; raises SettingsError where it refuses the token, and only logs where it cannot be asked."""
        try:
            answer = await self.slack.auth_test()
        except SLACK_FAULTS as error:
            if isinstance(error, SlackApiError) and error_name(error) in TOKEN_ERRORS:
                raise refused_token("SLACK_BOT_TOKEN", error) from None
            log.warning("Slack cannot be reached yet", error=error_name(error))
            return
        told = {name: _text(answer.get(name)) for name in ("team_id", "enterprise_id", "user_id", "bot_id")}
        if told["team_id"] is None and told["enterprise_id"] is None:
            log.warning("Slack does not tell which workspace this is yet")
            return
        self.known = Workspace(told["team_id"] or "", told["enterprise_id"], told["user_id"], told["bot_id"])

    async def workspace(self) -> Workspace | None:
        """The workspace; asks Slack where it is not known, once in a few seconds at most."""
        async with self._asking:
            now = asyncio.get_running_loop().time()
            if self.known is None and (self._asked_at is None or now - self._asked_at >= ASK_AGAIN_SECONDS):
                self._asked_at = now
                try:
                    await self.learn()
                except SettingsError as error:
                    log.error("Slack refuses the token", error=str(error))  # noqa: TRY400 - it says all there is
        return self.known

    def authorize(self, enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        """What Bolt asks at every request: answered from what is known, so that no fault of Slack drops a click."""
        us = self.known
        return AuthorizeResult(
            enterprise_id=enterprise_id,
            team_id=team_id,
            bot_user_id=us.bot_user if us is not None else None,
            bot_id=us.bot if us is not None else None,
            bot_token=self.slack.token,
        )


def refused_token(name: str, error: SlackApiError) -> SettingsError:
    """The error for a token that Slack refuses."""
    return SettingsError(
        f"{name} is refused by Slack ({error_name(error)}). " + missing_setting(name).partition(" is missing: ")[2]
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
