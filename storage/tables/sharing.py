"""How several processes share one PostgreSQL: who leads, who led, and whose turn a channel is.

The moments of leases are PostgreSQL's own: no process's clock counts there.
"""

from datetime import datetime

from sqlmodel import Field, SQLModel


class Lease(SQLModel, table=True):
    """Who leads, until when; `token` grows by one each time that another one takes over."""

    __tablename__ = "lease"
    name: str = Field(primary_key=True)
    holder: str = ""
    token: int = 0
    until: datetime


class LeaseTerm(SQLModel, table=True):
    """One time of leading: from when, and until when the one before it was good at the latest."""

    __tablename__ = "lease_term"
    token: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    holder: str
    began_at: datetime
    before_until: datetime


class ChannelTurn(SQLModel, table=True):
    """Whose turn it is to post in a channel, until when, and when a message was last posted there."""

    __tablename__ = "channel_turn"
    channel: str = Field(primary_key=True)
    holder: str
    until: datetime
    posted_at: datetime | None = None
