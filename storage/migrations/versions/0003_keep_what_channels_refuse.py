"""Keep what channels refuse until they take it: their state, and what was given up though it is still true."""

import sqlalchemy as sa
from alembic import op
from sqlmodel import AutoString, UTCDateTime

revision = "0003"
down_revision = "0002"

OUTBOX = sa.table(
    "outbox",
    *(
        sa.column(name)
        for name in ("id", "kind", "channel", "rolled_into", "incident_id", "claimed_by", "attempts", "error")
    ),
    sa.column("abandoned_at", UTCDateTime()),
    sa.column("claimed_until", UTCDateTime()),
)
INCIDENT = sa.table("incident", sa.column("id"), sa.column("resolved_at", UTCDateTime()))
REFUSED = sa.table(
    "refused_channel",
    *(sa.column(name) for name in ("channel", "error", "probes")),
    *(sa.column(name, UTCDateTime()) for name in ("since", "probe_at")),
)


def upgrade() -> None:
    op.create_table(
        "refused_channel",
        sa.Column("channel", AutoString(), nullable=False),
        sa.Column("error", AutoString(), nullable=False),
        sa.Column("since", UTCDateTime(), nullable=False),
        sa.Column("probe_at", UTCDateTime(), nullable=False),
        sa.Column("probes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("channel"),
    )
    op.add_column("outbox", sa.Column("rank", sa.Integer(), nullable=True))
    op.add_column("outbox", sa.Column("clicked_at", UTCDateTime(), nullable=True))
    op.create_index(
        "outbox_thread",
        "outbox",
        ["thread_of"],
        unique=False,
        sqlite_where=sa.text("thread_of IS NOT NULL"),
        postgresql_where=sa.text("thread_of IS NOT NULL"),
    )
    op.create_index(
        "outbox_ended",
        "outbox",
        ["channel", "due_at"],
        unique=False,
        sqlite_where=sa.text("rank = 5"),
        postgresql_where=sa.text("rank = 5"),
    )
    _bring_back()


def _bring_back() -> None:
    """Let the cards and roll-ups of open incidents be said once their channels take messages again."""
    is_open = sa.select(INCIDENT.c.id).where(INCIDENT.c.resolved_at.is_(None))
    rolled = OUTBOX.alias("rolled")
    heads = sa.select(rolled.c.rolled_into).where(rolled.c.kind == "alert_card", rolled.c.incident_id.in_(is_open))
    cards = sa.and_(OUTBOX.c.kind == "alert_card", OUTBOX.c.incident_id.in_(is_open))
    roll_ups = sa.and_(OUTBOX.c.kind == "roll_up", sa.or_(OUTBOX.c.id.in_(heads), OUTBOX.c.rolled_into.in_(heads)))
    given_up = (OUTBOX.c.abandoned_at.is_not(None), sa.or_(cards, roll_ups))
    first = sa.func.min(OUTBOX.c.abandoned_at)
    error = sa.func.coalesce(sa.func.max(OUTBOX.c.error), "")
    channels = sa.select(OUTBOX.c.channel, error, first, first, sa.literal(0)).where(*given_up)
    op.execute(
        sa.insert(REFUSED).from_select(
            ["channel", "error", "since", "probe_at", "probes"], channels.group_by(OUTBOX.c.channel)
        )
    )
    back = {"abandoned_at": None, "claimed_by": None, "claimed_until": None, "attempts": 0}
    op.execute(sa.update(OUTBOX).where(*given_up).values(back))
