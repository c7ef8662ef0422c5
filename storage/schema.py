"""Every table as SQLAlchemy Core sees it, for statements over sets of rows; one name a table, whoever uses it.

It declares nothing: the columns are those of the classes in `tables`.
"""

from sqlalchemy import Table
from sqlmodel import SQLModel

from storage import tables
from storage.drivers.memory import Copied


def _table(model: type[SQLModel]) -> Table:
    return SQLModel.metadata.tables[str(model.__tablename__)]


ALERT = _table(tables.Alert)
API = _table(tables.ApiState)
AUDIT = _table(tables.AuditEntry)
CHARGER = _table(tables.Charger)
COMMAND = _table(tables.Command)
CONNECTOR = _table(tables.Connector)
COUNT = _table(tables.PollCount)
COUNTER = _table(tables.Counter)
DIGEST_SLOT = _table(tables.DigestSlot)
DIGEST_START = _table(tables.DigestStart)
DOUBT = _table(tables.PollDoubt)
DRAFT = _table(tables.RuleDraft)
GAP = _table(tables.PollGap)
HEARD = _table(tables.HeardRequest)
HOME_TAB = _table(tables.HomeTab)
ID_FORM = _table(tables.IdForm)
INCIDENT = _table(tables.Incident)
INHIBITION = _table(tables.Inhibition)
INTERVAL = _table(tables.Interval)
LEASE = _table(tables.Lease)
LEASE_TERM = _table(tables.LeaseTerm)
LOCATION = _table(tables.Location)
NOTE = _table(tables.IncidentNote)
OUTBOX = _table(tables.OutboxItem)
PLACE = _table(tables.PollPlace)
POLL = _table(tables.Poll)
POWER = _table(tables.Power)
REFUSED = _table(tables.RefusedChannel)
ROLE_GRANT = _table(tables.RoleGrant)
RULE = _table(tables.Rule)
RULE_EVENT = _table(tables.RuleEvent)
RULE_VERSION = _table(tables.RuleVersion)
SAMPLE = _table(tables.SessionSample)
SESSION = _table(tables.ChargingSession)
SET_ASIDE = _table(tables.SetAsideRow)
SILENCE = _table(tables.Silence)
SPEECH_PLAN = _table(tables.SpeechPlan)
SUBSCRIPTION = _table(tables.Subscription)
SWITCH = _table(tables.AutomationSwitch)
TRANSITION = _table(tables.TransitionRow)
TURN = _table(tables.ChannelTurn)
TROUBLES = _table(tables.Trouble)
TRY = _table(tables.AutomationTry)
WAKE = _table(tables.RuleWake)
UNREAD = _table(tables.UnreadField)

EVERY_TABLE = Copied(SQLModel.metadata.create_all)
"""Every table without a row, for scratch databases in memory."""
