"""Who was given a role in Slack: one row a person or user group. What the settings name stands in no table."""

from datetime import datetime

from sqlmodel import Field, SQLModel


class RoleGrant(SQLModel, table=True):
    """A role that an admin gave from Slack; the row goes when it is taken back."""

    __tablename__ = "role_grant"
    holder: str = Field(primary_key=True)  # Slack's id of a person or of a user group
    handle: str = ""  # how a group was called when it was given the role
    role: str  # operator | admin
    granted_by: str  # a Slack user id
    granted_at: datetime
