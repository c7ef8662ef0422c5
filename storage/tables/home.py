"""Who opened the Home tab; what it shows is made anew each time."""

from datetime import datetime

from sqlmodel import Field, SQLModel


class HomeTab(SQLModel, table=True):
    """The Home tab of a person who opened it."""

    __tablename__ = "home_tab"
    user: str = Field(primary_key=True)  # a Slack user id
    opened_at: datetime
    shown_at: datetime  # when it was last published
    shown: str  # a digest of what it shows
