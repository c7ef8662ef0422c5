"""Roles that admins gave from Slack: read, given and taken back, each with its line in the audit log.

What a role means, and what the settings say, is for the caller to know.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.audit import record_act
from storage.dialects import insert
from storage.prepared import Prepared
from storage.schema import ROLE_GRANT


@dataclass(frozen=True, slots=True)
class Grant:
    """A role that somebody was given; `holder` is Slack's id of a person or group, `handle` a group's name."""

    holder: str
    handle: str
    role: str
    granted_by: str
    granted_at: datetime


_ALL_GRANTS = Prepared(
    sa.select(*(ROLE_GRANT.c[item.name] for item in fields(Grant))).order_by(
        ROLE_GRANT.c.granted_at.desc(), ROLE_GRANT.c.holder
    )
)


def all_grants(connection: Connection) -> Mapping[str, Grant]:
    """Every grant by its holder, the newest first."""
    return {row.holder: Grant(*row) for row in _ALL_GRANTS.all(connection)}


def give_role(connection: Connection, grant: Grant) -> None:
    """Give a person or group a role, in place of the one that they were given before."""
    values = asdict(grant)
    statement = insert(connection, ROLE_GRANT).values(**values)
    connection.execute(statement.on_conflict_do_update(index_elements=[ROLE_GRANT.c.holder], set_=values))
    facts = {"handle": grant.handle} if grant.handle else {}
    record_act(connection, grant.granted_by, "grant", grant.holder, grant.granted_at, outcome=grant.role, facts=facts)


def take_role(connection: Connection, holder: str, user: str, now: datetime) -> str | None:
    """Take back what was given to a person or group; which role that was, None where there was none."""
    gone = sa.delete(ROLE_GRANT).where(ROLE_GRANT.c.holder == holder).returning(ROLE_GRANT.c.role)
    role: str | None = connection.execute(gone).scalar()
    if role is not None:
        record_act(connection, user, "revoke", holder, now, outcome="revoked", facts={"role": role})
    return role
