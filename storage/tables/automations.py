"""What rules try by themselves: each try of each step of an alert, and the one switch that stops them all."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel


class AutomationTry(SQLModel, table=True):
    """One try of one step of the ladder of one alert: at most one command, whatever happens.

    `state`: waiting > awaiting_approval or sent > helped (of prices: changed) or did_not_help; or refused, cancelled,
    would_have. `price` is the default price per kWh that it sets, in the location's currency.
    """

    __tablename__ = "automation_try"
    __table_args__ = (
        UniqueConstraint("alert_id", "step"),
        # what is still to be decided or looked at
        Index(
            "automation_try_open",
            "due_at",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
        # what was told in place of commands, for the limits of a dry run
        Index("automation_try_of_kind", "kind", "state", "ended_at"),
    )
    id: int | None = Field(default=None, primary_key=True)
    alert_id: int
    step: int  # its place in the ladder, from 0
    rule_id: str
    rule_version: int
    incident_id: int | None = Field(default=None, index=True)
    kind: str  # of the command
    price: float | None = None
    location_id: str | None = None
    charger_id: str | None = None
    connector_id: str | None = None
    session_id: str | None = None
    state: str = "waiting"
    planned_at: datetime
    due_at: datetime | None = None  # when to look at it; null once nothing more becomes of it
    command_id: str | None = None
    acted_at: datetime | None = None  # when its command was made
    verify_until: datetime | None = None
    ended_at: datetime | None = None
    reason: str = ""  # in words: what stopped it, or what was seen


class AutomationSwitch(SQLModel, table=True):
    """Whether rules act, in one row, once somebody has said so; before that the setting holds."""

    __tablename__ = "automation_switch"
    name: str = Field(primary_key=True)
    mode: str = ""  # on | off | dry-run; empty: as the setting says
    set_by: str = ""
    set_at: datetime | None = None
