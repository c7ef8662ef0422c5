"""The power that connectors and locations had, for rules that look at it over a time."""

from datetime import datetime

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel


class Power(SQLModel, table=True):
    """A connector had a power, or the connectors of a location together, from `valid_from` to `valid_to` (exclusive).

    It is kept only while a rule asks for it: that time is the row of thing `kept`, whose `thing_id` is empty.
    """

    __tablename__ = "power"
    __table_args__ = (
        Index("power_of_thing", "thing", "thing_id", "valid_from"),
        # at most one open row a thing: record closes the old one before it opens the new one
        Index(
            "power_open",
            "thing",
            "thing_id",
            unique=True,
            sqlite_where=text("valid_to IS NULL"),
            postgresql_where=text("valid_to IS NULL"),
        ),
        Index("power_ended", "valid_to"),  # what is pruned
    )
    id: int | None = Field(default=None, primary_key=True)
    thing: str
    thing_id: str
    kw: float | None = None
    valid_from: datetime
    valid_to: datetime | None = None
