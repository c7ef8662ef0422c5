"""Every table of Chargehand, as SQLModel classes.

State rows hold what is true now, one row a thing, each with the `changed_seq` at which it last changed; history is kept
as intervals. Nothing here decides anything. The statements live in `record`, `queries` and the packages above.
Times are aware UTC datetimes (SQLModel's default column type), energies kWh, powers kW.
"""

from storage.tables.alerts import (
    Alert,
    Incident,
    IncidentNote,
    Inhibition,
    Rule,
    RuleDraft,
    RuleEvent,
    RuleVersion,
    RuleWake,
    Silence,
    SpeechPlan,
    TransitionRow,
)
from storage.tables.automations import AutomationSwitch, AutomationTry
from storage.tables.columns import JSON_COLUMN, Json
from storage.tables.home import HomeTab
from storage.tables.polls import (
    ApiState,
    IdForm,
    Poll,
    PollCount,
    PollDoubt,
    PollGap,
    PollPlace,
    SetAsideRow,
    UnreadField,
)
from storage.tables.power import Power
from storage.tables.roles import RoleGrant
from storage.tables.sharing import ChannelTurn, Lease, LeaseTerm
from storage.tables.speech import AuditEntry, Command, DigestSlot, DigestStart, OutboxItem, RefusedChannel, Subscription
from storage.tables.state import Charger, ChargingSession, Connector, Counter, Interval, Location, SessionSample
from storage.tables.watch import HeardRequest, Trouble

__all__ = [
    "JSON_COLUMN",
    "Alert",
    "ApiState",
    "AuditEntry",
    "AutomationSwitch",
    "AutomationTry",
    "ChannelTurn",
    "Charger",
    "ChargingSession",
    "Command",
    "Connector",
    "Counter",
    "DigestSlot",
    "DigestStart",
    "HeardRequest",
    "HomeTab",
    "IdForm",
    "Incident",
    "IncidentNote",
    "Inhibition",
    "Interval",
    "Json",
    "Lease",
    "LeaseTerm",
    "Location",
    "OutboxItem",
    "Poll",
    "PollCount",
    "PollDoubt",
    "PollGap",
    "PollPlace",
    "Power",
    "RefusedChannel",
    "RoleGrant",
    "Rule",
    "RuleDraft",
    "RuleEvent",
    "RuleVersion",
    "RuleWake",
    "SessionSample",
    "SetAsideRow",
    "Silence",
    "SpeechPlan",
    "Subscription",
    "TransitionRow",
    "Trouble",
    "UnreadField",
]
