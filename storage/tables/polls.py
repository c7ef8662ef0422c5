"""What the polls of the EOSVOLT API did: good ones, gaps, and rows that could not be read."""

from datetime import datetime

from sqlalchemy import text
from sqlmodel import Field, SQLModel


class Poll(SQLModel, table=True):
    """How the polling of one resource stands. `good_at` is the `now` of the last complete poll."""

    __tablename__ = "poll"
    resource: str = Field(primary_key=True)
    attempted_at: datetime
    good_at: datetime | None = None
    previous_good_at: datetime | None = None
    first_good_at: datetime | None = None  # the first sync: what was there then did not happen before our eyes
    swept_at: datetime | None = None  # the last complete full sweep
    sweep_due_at: datetime | None = None  # when the next one is wanted, where that is earlier than by plan
    failures: int = 0  # since the last good poll
    error: str | None = None
    unread_since: datetime | None = None  # rows that changed since then were set aside: to be asked for again
    unread_at: datetime | None = None  # when the first of them was


class PollPlace(SQLModel, table=True):
    """A list that is not read to its end yet: how it was asked for, and where the next poll goes on; one a resource."""

    __tablename__ = "poll_place"
    resource: str = Field(primary_key=True)
    began_at: datetime  # the poll that asked for its first page
    since: datetime | None = None  # only what changed from then on was asked for
    is_sweep: bool
    bookmark_json: str


class PollCount(SQLModel, table=True):
    """How often something came of polling a resource: good, failed (by the kind of fault), retried (likewise), paused.

    Rows set aside are not counted here: each is kept in SetAsideRow.
    """

    __tablename__ = "poll_count"
    resource: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    reason: str = Field(primary_key=True)
    count: int = 0
    last_at: datetime


class ApiState(SQLModel, table=True):
    """What is known of the API as a whole, in one row: how fast it lets itself be polled, and how its clock stands."""

    __tablename__ = "api_state"
    api: str = Field(primary_key=True)
    slowness: int = 1  # how many intervals lie between two polls
    slowed_at: datetime | None = None
    not_before: datetime | None = None  # the API, or our own slowness, asks for no poll until then
    clock_skew_s: float | None = None  # EOSVOLT's clock minus ours


class PollGap(SQLModel, table=True):
    """Two good polls of a resource lay more than three intervals apart: what happened between them was not seen."""

    __tablename__ = "poll_gap"
    id: int | None = Field(default=None, primary_key=True)
    resource: str
    valid_from: datetime
    valid_to: datetime
    changed_seq: int = Field(index=True)


class SetAsideRow(SQLModel, table=True):
    """A row of an answer that could not be read, once a resource, key and reason."""

    __tablename__ = "set_aside_row"
    resource: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    reason: str = Field(primary_key=True)
    row_json: str
    first_at: datetime
    last_at: datetime
    field: str = ""  # the API's name of what could not be read


class UnreadField(SQLModel, table=True):
    """A field of a resource that could not be read in some rows, which are kept without it: why, and when last."""

    __tablename__ = "unread_field"
    resource: str = Field(primary_key=True)
    field: str = Field(primary_key=True)  # our name of it; `reason` has the API's
    reason: str  # of one of the rows
    first_at: datetime
    last_at: datetime
    read_at: datetime | None = None  # when it last could be read in some row; None: it never was
    failed: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})  # rows of the last poll
    came: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})  # of so many


class PollDoubt(SQLModel, table=True):
    """A full sweep that showed so much less than was known that it is not believed yet, one row a resource."""

    __tablename__ = "poll_doubt"
    resource: str = Field(primary_key=True)
    since: datetime  # the first of the sweeps that showed the same
    swept_at: datetime  # the last of them
    missing: int  # how many things it did not show
    known: int  # of how many
    fingerprint: str  # of the ids that were missing
    confirmed_at: datetime | None = None  # somebody says that it is so: the next equal sweep is believed
    confirmed_by: str | None = None


class IdForm(SQLModel, table=True):
    """The names in the contract of which the ids of stored things are made, by kind: charger, connector, session."""

    __tablename__ = "id_form"
    resource: str = Field(primary_key=True)
    form: str
