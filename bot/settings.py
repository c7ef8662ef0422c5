"""Settings from the environment or `.env`, each secret also as a file, each missing one named with its mend.

Nothing here connects to anything. Secrets are held as SecretStr and never printed.
"""

from datetime import timedelta
from functools import cached_property
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from bot.setting_purposes import PURPOSES, SECRETS
from eosvolt.contract import Contract, load_contract
from eosvolt.tokens import TokenSource
from notify.house_words import ConsoleUrlError, HouseWords, checked_console_url
from notify.text.error_codes import CodesError, load_codes
from rules.actions.command_kinds import ASKED_FOR, COMMANDS_PER_DAY, CommandKind, kinds_of
from storage.engine import normalise_url


class SettingsError(Exception):
    """What is missing or wrong in the settings, with what it is for and where to get it."""


Words = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """Everything that the environment says. Each secret `X` may be given as `X_FILE`, the path of a file with it."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True, frozen=True
    )

    eosvolt_base_url: str | None = None
    eosvolt_token: SecretStr | None = None
    eosvolt_token_file: Path | None = None
    slack_bot_token: SecretStr | None = None
    slack_bot_token_file: Path | None = None
    slack_app_token: SecretStr | None = None
    slack_app_token_file: Path | None = None
    slack_signing_secret: SecretStr | None = None
    slack_signing_secret_file: Path | None = None
    slack_api_url: str = "https://slack.com/api/"
    port: int | None = Field(default=None, ge=0, le=65535)
    database_url: str = "sqlite:///chargehand.db"
    chargehand_rules: Words = ()
    chargehand_timezone: str = "UTC"
    chargehand_poll_interval: float = Field(default=60, ge=1, le=3600)
    chargehand_admins: Words = ()
    chargehand_operators: Words = ()
    chargehand_workspace_admins: bool = False
    chargehand_outsiders_may_look: bool = False
    chargehand_alert_channel: str | None = None
    chargehand_card_budget: int = Field(default=3, ge=1, le=50)
    chargehand_commands_per_day: int = Field(default=COMMANDS_PER_DAY, ge=1, le=10_000)
    chargehand_automations: str = Field(default="dry-run", pattern="^(on|off|dry-run)$")
    chargehand_price_approval_channel: str | None = None
    chargehand_two_people: Words = ()
    chargehand_approval_channel: str | None = None
    chargehand_allow_http: bool = False
    chargehand_contract: Path | None = None
    chargehand_codes: Path | None = None
    chargehand_console_url: str | None = None
    chargehand_id_tag_key: SecretStr | None = None
    chargehand_id_tag_key_file: Path | None = None
    chargehand_plain_id_tags: bool = False
    chargehand_keep_history_days: int = Field(default=400, ge=400, le=36_500)
    chargehand_keep_detail_days: int = Field(default=35, ge=7, le=36_500)
    chargehand_bind: str | None = None
    chargehand_proxies: Words = ()
    chargehand_heartbeat_url: SecretStr | None = None
    chargehand_heartbeat_url_file: Path | None = None
    log_format: str = Field(default="console", pattern="^(json|console)$")

    @field_validator(
        "chargehand_rules",
        "chargehand_admins",
        "chargehand_operators",
        "chargehand_two_people",
        "chargehand_proxies",
        mode="before",
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value

    @field_validator("chargehand_two_people")
    @classmethod
    def _are_actions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        said = tuple(" ".join(word.lower().split()) for word in value)
        wrong = [word for word in said if not kinds_of(word)]
        if wrong:
            raise ValueError(f"{wrong[0][:60]} is none of {', '.join(ASKED_FOR)} and `do NAME`")
        return said

    @field_validator("eosvolt_base_url", "slack_api_url")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            url = urlsplit(value)
            right = (
                url.scheme in {"http", "https"} and bool(url.hostname) and url.port != -1
            )  # which raises for a wrong one
        except ValueError:
            right = False
        if not right or not value.isprintable() or " " in value:
            raise ValueError("it is no address that begins with https://")
        if url.username is not None or url.password is not None or url.query or url.fragment:
            # a user and password there would take the place of the token
            raise ValueError("an address has no user, password, query or fragment; the token is a setting of its own")
        return value

    @field_validator("chargehand_bind")
    @classmethod
    def _is_an_ip_address(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ip_address(value)
            except ValueError:
                raise ValueError(
                    "it is no IP address; 127.0.0.1 is this machine alone, 0.0.0.0 every address"
                ) from None
        return value

    @field_validator("chargehand_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            try:
                ip_network(one)
            except ValueError:
                raise ValueError(f"{one[:60]} is no IP address and no network such as 10.0.0.0/8") from None
        return value

    @field_validator("chargehand_heartbeat_url")
    @classmethod
    def _can_be_asked(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("https://", "http://")):
            raise ValueError("it is no address that begins with https://")
        return value

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if not value.startswith(("sqlite:", "postgres:", "postgresql:", "postgresql+psycopg:")):
            raise ValueError("only SQLite and PostgreSQL are known")
        try:
            make_url(normalise_url(value))
        except (ArgumentError, ValueError):  # its own text may hold a password
            raise ValueError(
                "it cannot be read as a URL; special characters in a password are written %40 and so on"
            ) from None
        return value

    @field_validator("chargehand_timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, OSError, ValueError):
            raise ValueError("no such time zone; IANA names look like Europe/Copenhagen") from None
        return value

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, values: dict[str, Any]) -> dict[str, Any]:
        for name in (secret.lower() for secret in SECRETS):
            path = values.get(f"{name}_file")
            if not path or values.get(name):
                continue
            try:
                values[name] = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is not text"
                raise ValueError(f"{name.upper()}_FILE: {path} cannot be read: {reason}") from None
        return values

    @model_validator(mode="after")
    def _is_private_on_the_way(self) -> "Settings":
        for name in ("eosvolt_base_url", "slack_api_url"):
            url = urlsplit(getattr(self, name) or "")
            if url.scheme == "http" and not self.chargehand_allow_http and not is_loopback(url.hostname or ""):
                raise ValueError(
                    f"{name.upper()}: http:// to another machine sends the token for everybody on the way to read. Use "
                    "https://, or set CHARGEHAND_ALLOW_HTTP=true where the network is your own"
                )
        return self

    @model_validator(mode="after")
    def _has_a_place_to_approve(self) -> "Settings":
        if self.chargehand_two_people and self.chargehand_approval_channel is None:
            raise ValueError(
                "CHARGEHAND_TWO_PEOPLE needs CHARGEHAND_APPROVAL_CHANNEL, the channel in which somebody else approves"
            )
        return self

    @property
    def approvals(self) -> dict[str, str]:
        """The channel in which each kind of command is approved by a second person; the others need none."""
        named = [kind for word in self.chargehand_two_people for kind in kinds_of(word)]
        channels = dict.fromkeys(named, self.chargehand_approval_channel or "")
        if self.chargehand_price_approval_channel is not None:
            channels[CommandKind.CHANGE_PRICE.value] = self.chargehand_price_approval_channel
        return channels

    @cached_property
    def poll_interval(self) -> timedelta:
        return timedelta(seconds=self.chargehand_poll_interval)

    @property
    def history_kept(self) -> timedelta:
        """How long history is kept."""
        return timedelta(days=self.chargehand_keep_history_days)

    @property
    def detail_kept(self) -> timedelta:
        """How long what is only needed for a while is kept."""
        return timedelta(days=self.chargehand_keep_detail_days)

    def host(self) -> str:
        """The address to listen on: this machine alone, unless Slack has to reach it or somebody says otherwise."""
        everywhere = "0.0.0.0"  # noqa: S104 - HTTP mode is there to be reached
        return self.chargehand_bind or (everywhere if self.slack_app_token is None else "127.0.0.1")

    def contract(self) -> Contract:
        """The API contract with its override; raises ContractError."""
        return load_contract(self.chargehand_contract)

    def house_words(self) -> HouseWords:
        """What the operator's files and settings add to messages; raises SettingsError."""
        try:
            return HouseWords(load_codes(self.chargehand_codes), checked_console_url(self.chargehand_console_url))
        except CodesError as error:
            raise SettingsError(f"CHARGEHAND_CODES: {error}") from None
        except ConsoleUrlError as error:
            raise SettingsError(f"CHARGEHAND_CONSOLE_URL: {error}") from None

    def token_source(self) -> TokenSource:
        """EOSVOLT's token, from its file where one is named: a file is read again when the token is refused."""
        if self.eosvolt_token_file is not None:
            return TokenSource.from_file(self.eosvolt_token_file)
        self.require("EOSVOLT_TOKEN")
        assert self.eosvolt_token is not None  # noqa: S101 - required above
        return TokenSource.from_text(self.eosvolt_token.get_secret_value())

    def require(self, *names: str) -> None:
        """Raise SettingsError that tells of each of these settings that is missing what it is for, where to get it."""
        missing = [name for name in names if getattr(self, name.lower()) is None]
        if missing:
            raise SettingsError("\n".join(missing_setting(name) for name in missing))

    def require_door(self) -> None:
        """Raise SettingsError where Slack has no way in: neither Socket Mode nor HTTP mode is set up whole."""
        missing = [name for name in ("SLACK_SIGNING_SECRET", "PORT") if getattr(self, name.lower()) is None]
        if self.slack_app_token is None and missing:
            lines = ["Slack has no way in. Socket Mode needs one setting:", missing_setting("SLACK_APP_TOKEN")]
            lines += ["HTTP mode, where Slack can reach this machine, lacks:", *map(missing_setting, missing)]
            raise SettingsError("\n".join(lines))

    def secret(self, name: str) -> str:
        """The text of a secret setting; raises SettingsError where it is missing."""
        self.require(name)
        value = getattr(self, name.lower())
        return str(value.get_secret_value())


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def missing_setting(name: str) -> str:
    """The sentence for a setting that is missing."""
    purpose = PURPOSES[name]
    return f"{name} is missing: {purpose.what}. Get it from: {purpose.where}. Set it in the environment or in .env."


def load_settings() -> Settings:
    """The settings as the environment and `.env` give them; raises SettingsError with one line for each wrong one."""
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("\n".join(_wrong_setting(item) for item in error.errors())) from None


def _wrong_setting(item: Any) -> str:
    message = str(item["msg"]).removeprefix("Value error, ")
    if not item["loc"]:
        return message
    name = str(item["loc"][0]).upper()
    purpose = PURPOSES.get(name.removesuffix("_FILE"))
    hint = f" ({purpose.what}; {purpose.where})" if purpose else ""
    return f"{name}: {message}{hint}"


def render_settings_reference() -> str:
    """docs/settings.md: every setting, what it is for, where to get it, its default."""
    lines = [
        "# Settings",
        "",
        "<!-- Written by `python -m bot.cli.docs` from the code. Do not edit. -->",
        "",
        "They come from the environment, or from a file `.env` in the working directory. Each secret can be given as a",
        "file instead: `EOSVOLT_TOKEN_FILE` names a file that holds the token, and so for the others marked (file).",
        "",
        "| setting | what it is for | where to get it | default |",
        "| --- | --- | --- | --- |",
    ]
    for name, purpose in PURPOSES.items():
        default = Settings.model_fields[name.lower()].default
        shown = "" if default is None or default == () else f"`{default}`"
        secret = " (file)" if name in SECRETS else ""
        lines.append(f"| `{name}`{secret} | {purpose.what} | {purpose.where} | {shown} |")
    return "\n".join(lines) + "\n"
