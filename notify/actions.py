"""The ids of everything that can be clicked, in one enum: no listener and no block invents its own."""

from enum import StrEnum


class ActionId(StrEnum):
    """Slack action ids; renaming one breaks the buttons of messages already posted."""

    ACKNOWLEDGE_INCIDENT = "acknowledge_incident"
