"""The parts that the service is made of, each from the settings; `bot.service.app` puts them together.

Nothing here starts, connects or decides what the process consists of.
"""

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from slack_sdk.web.async_client import AsyncWebClient

from bot.service import evaluating
from bot.service.delivering.delivery import Delivery
from bot.service.jobs import Jobs
from bot.service.operating.heartbeat import Heartbeat
from bot.service.operating.metrics import Metrics
from bot.service.polling.poll_plan import plan_from
from bot.service.rule_files import RuleKeeper
from bot.service.watching.pages import Wellness
from bot.service.watching.watchdog import Watchdog
from bot.setting_doubts import nobody_may_act
from bot.settings import Settings
from bot.slack.charge.answer import Office
from bot.slack.doors.identity import Identity
from bot.slack.listeners.responder import Responder
from bot.slack.permissions import USER_ID, Permissions
from eosvolt.client import EosvoltClient
from rules.actions.automations import Mode
from rules.actions.command_kinds import CommandKind
from storage.engine import Database
from storage.grants import Grant, all_grants

if TYPE_CHECKING:  # it is made of these
    from bot.service.app import Service


def heartbeat_of(settings: Settings, wellness: Wellness) -> Heartbeat | None:
    if settings.chargehand_heartbeat_url is None:
        return None
    return Heartbeat(settings.secret("CHARGEHAND_HEARTBEAT_URL"), (wellness.live, wellness.ready))


class Later:
    """The service, for parts of it that are made before it is and ask it once it runs."""

    service: "Service"

    def wake(self, job: str) -> None:
        self.service.ticker.wake(job)

    def leads(self) -> bool:
        return self.service.leading.leads

    async def take_over(self, now: datetime) -> None:
        await self.service.take_over(now)

    def has_workers(self) -> bool:
        return self.service.ticker.is_alive

    async def slack_alive(self) -> bool:
        return await self.service.slack_alive()

    async def slack_link(self) -> str:
        return await self.service.slack_link()


def jobs_of(settings: Settings, clock: Callable[[], datetime]) -> Jobs:
    client = EosvoltClient(settings.eosvolt_base_url or "", settings.token_source(), settings.contract(), clock=clock)
    return Jobs(
        Database(settings.database_url),
        client,
        plan_from(settings),
        settings.chargehand_timezone,
        settings.chargehand_alert_channel,
        settings.chargehand_card_budget,
        automations=Mode(settings.chargehand_automations),
        commands_per_day=settings.chargehand_commands_per_day,
        outsiders_hear=settings.chargehand_outsiders_may_look,
        price_approval=settings.approvals.get(CommandKind.CHANGE_PRICE),
    )


def permissions_of(settings: Settings, slack: AsyncWebClient, identity: Identity, database: Database) -> Permissions:
    def granted() -> Mapping[str, Grant]:
        with database.read() as connection:
            return all_grants(connection)

    return Permissions(
        slack,
        identity,
        settings.chargehand_admins,
        settings.chargehand_operators,
        workspace_admins=settings.chargehand_workspace_admins,
        outsiders_look=settings.chargehand_outsiders_may_look,
        granted=granted,
    )


def watchdog_of(  # noqa: PLR0917 - what it watches
    settings: Settings, work: Jobs, permissions: Permissions, keeper: RuleKeeper, later: Later, now: datetime
) -> Watchdog:
    return Watchdog(
        work,
        now,
        lambda: later.service.ticker.states,
        later.slack_alive,
        [name for name in settings.chargehand_admins if USER_ID.fullmatch(name)],
        nobody_may_act(settings) is not None,
        lambda: keeper.held,
        permissions.nobody_may_act,
        lambda: later.service.ticker.stood_still_s,
    )


def delivery_of(settings: Settings, work: Jobs, slack: AsyncWebClient, metrics: Metrics, later: Later) -> Delivery:
    return Delivery(
        work.database,
        slack,
        f"worker-{uuid.uuid4().hex[:12]}",
        settings.chargehand_alert_channel,
        card_budget=settings.chargehand_card_budget,
        interval=settings.poll_interval,
        words=settings.house_words(),
        again=lambda seconds: later.service.ticker.wake_in("deliver", seconds),
        note=metrics.signals.note_delivery,
    )


def responder_of(  # noqa: PLR0917 - what answers are made of
    settings: Settings,
    work: Jobs,
    slack: AsyncWebClient,
    permissions: Permissions,
    keeper: RuleKeeper,
    wellness: Wellness,
    later: Later,
    clock: Callable[[], datetime],
) -> Responder:
    office = Office(
        database=work.database,
        client=work.client,
        slack=slack,
        slack_link=later.slack_link,
        permissions=permissions,
        wrong=wellness.wrong,
        approvals=settings.approvals,
    )
    return Responder(
        database=work.database,
        slack=slack,
        permissions=permissions,
        clock=clock,
        interval=settings.poll_interval,
        zone=settings.chargehand_timezone,
        commands_per_day=settings.chargehand_commands_per_day,
        automations=settings.chargehand_automations,
        alert_channel=settings.chargehand_alert_channel or "",
        office=office,
        wake_commands=lambda: later.wake("commands"),
        wake_deliveries=lambda: later.wake("deliver"),
        wake_reminders=lambda: later.wake("reminders"),
        adopt_rules=keeper.adopt_stored,
        tell_of_rule=partial(evaluating.tell_of_rule, work),
        tell_of_act=partial(evaluating.tell_of_act, work),
    )
