"""What was wrong with the service itself, once an occurrence: when it began, when it was told, when it was over."""

from datetime import datetime

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from storage.tables.columns import JSON_COLUMN, Json


class Trouble(SQLModel, table=True):
    """One occurrence of one trouble. It is told once it has lasted long enough (`raised_at`), and edited at its end."""

    __tablename__ = "trouble"
    __table_args__ = (
        # one open occurrence a key
        Index(
            "trouble_open",
            "key",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    key: str  # polls:chargers | token | rate_limit | slack | job:deliver | backlog | refused:#channel | disk | database
    since: datetime
    raised_at: datetime | None = None
    ended_at: datetime | None = None
    facts: Json = Field(default_factory=dict, sa_type=JSON_COLUMN)


class HeardRequest(SQLModel, table=True):
    """A request of Slack that was acted on: its name (`trigger:...`, `event:...`) is all that is kept, for two days."""

    __tablename__ = "heard_request"
    name: str = Field(primary_key=True)
    heard_at: datetime = Field(index=True)
