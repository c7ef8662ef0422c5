"""The Home tab: what a person may do, what is theirs to see to, what stands open, and how the fleet does today.

It reads, and acts by the buttons of cards and forms; nothing here publishes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from slack_sdk.models.blocks import ActionsBlock, ButtonElement, DividerBlock, MarkdownTextObject, SectionBlock
from sqlalchemy import Connection

from bot.slack.charge.alerting.subscription_words import may_see
from bot.slack.charge.alerting.subscriptions import subscription_rows
from bot.slack.charge.answer import Asked, form_button, told, words_button
from bot.slack.permissions import MEANS, Role
from notify.alert_cards.parts import Part, read_parts
from notify.kpis.scope import NETWORK_KEY, Scope
from notify.kpis.sessions import energy, revenue, sessions
from notify.render import render_words
from notify.subscriptions import lasting
from notify.text import blocks
from notify.text.card_buttons import Offered, card_buttons
from notify.text.message import Block
from notify.text.ranges import as_ranges
from rules.alerts.silences import active_silences
from rules.documents.windows import day_bounds, stretch
from rules.lifecycle import State
from storage.queries.state import data_age, fleet_counts
from storage.schema import ALERT, INCIDENT, LOCATION

SHOWN_PROBLEMS = 8
SHOWN_SILENCES = 3
SHOWN_SUBSCRIPTIONS = 6
MOST_OPEN = 500
MOST_PROBLEMS = 40
WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Problem:
    """What stands on one charger or place: its parts, the one that leads first, its alerts and who looks after it."""

    parts: tuple[Part, ...]
    incident_ids: tuple[int, ...]
    alerts: tuple[int, ...]
    unacknowledged: int
    acknowledged: int
    since: datetime
    assigned_to: str | None
    state: str
    place: str | None = None  # the location's name or id

    @property
    def lead(self) -> Part:
        """The part that names it."""
        return self.parts[0]


@dataclass(frozen=True, slots=True)
class Figures:
    """The completed sessions of a stretch of time: how many, kWh, and money by currency."""

    sessions: int
    energy_kwh: float
    revenue: dict[str, float]


def home_blocks(
    connection: Connection, *, user: str, role: Role, now: datetime, interval: timedelta, zone: str
) -> list[Block]:
    """Everything that the Home tab shows to a person who may look."""
    problems, total = open_problems(connection, now)
    mine = [one for one in problems if one.assigned_to == user]
    others = [one for one in problems if one.assigned_to != user]
    head = told(
        "answer_home",
        counts=fleet_counts(connection),
        age=data_age(connection, "chargers", now, interval),
        role=role.word,
        means=MEANS[role],
        today=figures(connection, zone, now),
        before=figures(connection, zone, now - WEEK),
        silences=active_silences(connection, now)[:SHOWN_SILENCES],
        silenced=len(active_silences(connection, now)),
        mine=len(mine),
        problems=total,
    )
    built = [*head.blocks, ActionsBlock(elements=quick_actions(role), block_id="quick").to_dict()]
    for title, shown in (("Yours to see to", mine), ("Open problems", others)):
        if shown:
            built.append({**blocks.header(title), "block_id": f"title_{title[:5]}"})
        for problem in shown[:SHOWN_PROBLEMS]:
            built += _problem_blocks(problem, role)
        left = len(shown) - SHOWN_PROBLEMS + (total - len(problems) if shown is others else 0)
        if left > 0:
            line = f"and {left} more: `/charge alerts` lists them."
            built += [{**block, "block_id": f"more_{title[:5]}"} for block in blocks.sections(line)]
    return [*built, *_subscription_blocks(connection, Asked((), user, role, now, interval, zone))]


def _subscription_blocks(connection: Connection, asked: Asked) -> list[Block]:
    """What this person and the channels are told of, with what ends it."""
    seen = sorted(
        (row for row in lasting(connection) if may_see(row, asked)),
        key=lambda row: (row.channel != asked.user, row.name, row.id),
    )
    if not seen:
        return []
    rows = subscription_rows(connection, seen[:SHOWN_SUBSCRIPTIONS], asked)
    built = [{**blocks.header("Subscriptions"), "block_id": "title_subscriptions"}]
    built += [
        SectionBlock(text=MarkdownTextObject(text=row), accessory=end, block_id=f"subscription_{n}").to_dict()
        for n, (row, end) in enumerate(rows)
    ]
    left = len(seen) - len(rows)
    if left > 0:
        line = f"and {left} more: `/charge subscriptions` lists them."
        built += [{**block, "block_id": "more_subscriptions"} for block in blocks.sections(line)]
    return built


def quick_actions(role: Role) -> list[ButtonElement]:
    """What a person of this role does most."""
    looks = [words_button("Alerts", "alerts", 1), words_button("Status", "status", 2), words_button("Help", "help", 3)]
    acts = [form_button("Start a session…", "start", 1), form_button("Silence…", "silence", 2)]
    rules = [form_button("Change prices…", "price", 3), form_button("New rule…", "rule", 4)]
    rules.append(form_button("New digest…", "digest", 5))
    return [*looks, *(acts if role >= Role.OPERATOR else ()), *(rules if role >= Role.ADMIN else ())]


def _problem_blocks(problem: Problem, role: Role) -> list[Block]:
    number = problem.incident_ids[0]
    words = render_words("home_problem.mrkdwn.j2", problem=problem)
    lines = [{**block, "block_id": f"problem_{number}_{n}"} for n, block in enumerate(blocks.sections(words["body"]))]
    if role < Role.OPERATOR:
        return lines
    named = as_ranges(problem.alerts)
    about: dict[str, int | str] = {"incident": number, **({"alerts": named} if named else {})}
    offered = Offered(
        "Acknowledge" if problem.unacknowledged else None,
        undo=not problem.unacknowledged and problem.acknowledged > 0,
        acts=not any(part.is_safety and part.firing for part in problem.parts),
    )
    row = [{**block, "block_id": f"act_{number}"} for block in card_buttons(about, offered)]
    return [*lines, *row, DividerBlock(block_id=f"line_{number}").to_dict()]


def open_problems(connection: Connection, now: datetime) -> tuple[list[Problem], int]:
    """What fires, by charger or place as cards group it, what nobody acknowledged first, then the graver; and how many.

    Of very many the oldest are looked at.
    """
    found_rows = connection.execute(
        sa.select(
            INCIDENT.c.id.label("incident_id"),
            INCIDENT.c.problem_key,
            INCIDENT.c.assigned_to,
            ALERT.c.id,
            ALERT.c.active_at,
            ALERT.c.acknowledged_at,
            ALERT.c.snoozed_until,
            ALERT.c.silence_id,
            sa.func.coalesce(sa.func.nullif(LOCATION.c.name, ""), LOCATION.c.id).label("place"),
        )
        .join(ALERT, ALERT.c.incident_id == INCIDENT.c.id)
        .outerjoin(LOCATION, LOCATION.c.id == ALERT.c.location_id)
        .where(INCIDENT.c.resolved_at.is_(None), ALERT.c.state == State.FIRING.value)
        .order_by(ALERT.c.acknowledged_at.is_not(None), ALERT.c.active_at, ALERT.c.id)
        .limit(MOST_OPEN)
    ).all()
    grouped: dict[str, list[Any]] = {}
    for row in found_rows:
        grouped.setdefault(row.problem_key or f"incident {row.incident_id}", []).append(row)
    found = [_problem(connection, mine, now) for mine in list(grouped.values())[:MOST_PROBLEMS]]
    order = sorted(found, key=lambda one: (not one.unacknowledged, one.state != "firing", one.lead.weight))
    return order, len(grouped)


def _problem(connection: Connection, rows: Sequence[Any], now: datetime) -> Problem:
    incidents = tuple(dict.fromkeys(row.incident_id for row in rows))
    waits = [row for row in rows if row.acknowledged_at is None]
    loud = [row for row in waits if row.silence_id is None and row.snoozed_until is None]
    state = "firing" if loud else "acknowledged" if not waits else "silenced"
    return Problem(
        parts=read_parts(connection, incidents, now),
        incident_ids=incidents,
        alerts=tuple(row.id for row in rows),
        unacknowledged=len(waits),
        acknowledged=len(rows) - len(waits),
        since=min(row.active_at for row in rows),
        assigned_to=next((row.assigned_to for row in rows if row.assigned_to), None),
        state=state,
        place=rows[0].place,
    )


def figures(connection: Connection, zone: str, until: datetime) -> Figures:
    """The sessions that ended on the local day of a moment, up to it."""
    began, _ = day_bounds(until.astimezone(ZoneInfo(zone)).date(), zone)
    scope = Scope({zone: sa.true()}, stretch(began, until, zone))
    return Figures(
        sessions(connection, scope).get(NETWORK_KEY, 0),
        energy(connection, scope).get(NETWORK_KEY, 0.0),
        revenue(connection, scope).get(NETWORK_KEY, {}),
    )
