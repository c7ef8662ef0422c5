"""Order what stands on a problem: the newest incident's card is found without a look at the others."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    still = sa.text("resolved_at IS NULL")
    op.drop_index("incident_problem", "incident")
    op.create_index(
        "incident_problem",
        "incident",
        ["problem_key", "id"],
        unique=False,
        sqlite_where=still,
        postgresql_where=still,
    )
