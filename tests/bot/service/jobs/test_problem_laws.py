"""Laws of problems, for any story of rules, routes, severities, mutes, quiet hours, switch-ons, restarts and kills.

Grouping changes no transition, each alert is named once in a channel, and what is graver and may speak always speaks.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlmodel import SQLModel

from bot.service import jobs
from rules.alerts.incidents import AUDIBLE
from rules.alerts.silences import create_silence
from rules.alerts.snoozes import snooze
from rules.documents.document import rule_from_document
from rules.documents.maintenance import WeeklyWindow
from rules.documents.quiet_hours import QuietHours
from rules.documents.routes import Route
from rules.documents.speech_plan import SpeechPlan
from storage.engine import Database
from storage.schema import ALERT, INCIDENT, OUTBOX
from tests.bot.service.jobs.site import Site
from tests.examples import examples
from tests.readings import MINUTE, T0, charger, connector, location

GRAVE = ("critical", "warning", "info")
ROUTES = (Route(("#critical",), severities=("critical",), goes_on=True), Route(("#all",)))
NIGHT = QuietHours(WeeklyWindow(tuple(range(7)), "10:05", "10:13"))  # of a story's first half hour
WHEN = {
    "faulted": ("connector", 'connector.status == "Faulted"'),
    "coded": ("connector", 'connector.error_code == "OtherError"'),
    "offline": ("charger", "not charger.online"),
    "dark": ("location", "count(location.chargers where not charger.online) >= 2"),
}
severities = st.fixed_dictionaries({name: st.sampled_from(GRAVE) for name in WHEN})
extras = st.fixed_dictionaries({"safety": st.sampled_from(["", "faulted", "coded"]), "inhibits": st.booleans()})
plug = st.tuples(st.sampled_from(["Available", "Faulted", "Faulted"]), st.sampled_from(["NoError", "OtherError"]))
polls = st.tuples(st.just("poll"), st.lists(plug, min_size=3, max_size=3), st.booleans(), st.booleans())
broken_off = st.tuples(st.just("killed poll"), st.lists(plug, min_size=3, max_size=3), st.booleans(), st.booleans())
mutes = st.one_of(
    st.tuples(st.just("silence"), st.sampled_from(list(WHEN)), st.integers(1, 6)),
    st.tuples(st.just("snooze"), st.sampled_from(list(WHEN)), st.integers(1, 6)),
    st.tuples(st.just("acknowledge"), st.sampled_from(list(WHEN))),
    st.tuples(st.just("switch on"), st.sampled_from(list(WHEN))),
    st.tuples(st.just("restart")),
    st.tuples(st.just("kill a worker"), st.booleans()),
)
stories = st.lists(st.one_of(polls, polls, broken_off, mutes), min_size=6, max_size=14)
FREE, BROKEN, CODED = ("Available", "NoError"), ("Faulted", "NoError"), ("Faulted", "OtherError")
CALM: dict[str, Any] = {"safety": "", "inhibits": False}
ANOTHER_PLUG = [("poll", [one, two, FREE], True, True) for one, two in ((FREE,) * 2, (BROKEN, FREE), (BROKEN,) * 2)]
GRAVER = [("switch on", "coded"), *(("poll", [one, FREE, FREE], True, True) for one in (FREE, BROKEN, BROKEN, CODED))]
SWAPPED = [("poll", [FREE] * 3, False, False), ("switch on", "coded")] + [
    ("poll", [one, FREE, FREE], False, False) for one in (BROKEN, ("Available", "OtherError"))
]
ONE_GRAVER = dict.fromkeys(WHEN, "info") | {"coded": "critical"}


class World:
    """A site of two chargers that lives a story, and what was seen of its alerts after each poll."""

    def __init__(self, database: Database, said: dict[str, dict[str, Any]], plan: SpeechPlan) -> None:
        with database.write() as connection:
            for table in SQLModel.metadata.sorted_tables:
                connection.execute(sa.delete(table))
        self.documents, self.plan, self.on = said, plan, {"faulted", "offline"}
        self.now: datetime = T0
        self.site = Site(database, *self._rules(), now=T0, plan=plan)
        self.site.tick(T0, location(), resource="locations")
        self.moved: list[Any] = []
        self.debts: dict[int, datetime] = {}  # alerts that have to be said, since when
        self.before: set[int] = set()

    def _rules(self) -> list[dict[str, Any]]:
        return [self.documents[name] for name in sorted(self.on)]

    def live(self, kind: str, *details: Any) -> None:
        if kind in {"poll", "killed poll"}:
            self._poll(*details, to_its_end=kind == "poll")
        elif kind == "restart":
            self._restart()
        elif kind == "kill a worker":
            self._kill_a_worker(*details)
        elif kind == "switch on":
            self.on.add(details[0])
            rules = [rule_from_document(document, "test.yaml") for document in self._rules()]
            jobs.use_rules(self.site.work, rules, self.now, self.plan)
        else:
            self._mute(kind, *details)

    def _poll(self, plugs: list[tuple[str, str]], first: bool, second: bool, *, to_its_end: bool) -> None:
        """A poll and what follows it; one that is killed stops before what is due speaks."""
        self.now += 2 * MINUTE
        one, two, three = (
            connector(f"c{n}", told[0], charger=f"ch{1 + n // 2}", error_code=told[1]) for n, told in enumerate(plugs)
        )
        readings = (charger(one, two, charger_id="ch1", online=first), charger(three, charger_id="ch2", online=second))
        found = self.site.tick(self.now, *readings, speaks=to_its_end)
        self.moved.append(sorted((self.now, t.rule_id, t.subject, str(t.from_state), str(t.to_state)) for t in found))
        if to_its_end:
            self._look()
        else:
            self._restart()

    def _restart(self) -> None:
        self.site = Site(self.site.database, *self._rules(), now=self.now, plan=self.plan)

    def _kill_a_worker(self, arrived: bool) -> None:
        """A worker dies that had claimed what is due: its calls came to Slack, or never did."""
        due = (OUTBOX.c.shown_version < OUTBOX.c.version, OUTBOX.c.due_at <= self.now + MINUTE)
        claim = {"claimed_by": "killed", "claimed_until": self.now + MINUTE, "uncertain": arrived}
        with self.site.database.write() as connection:
            connection.execute(sa.update(OUTBOX).where(*due).values(claim))
        self._restart()

    def _mute(self, kind: str, rule: str, minutes: int = 0) -> None:
        until = self.now + minutes * MINUTE
        with self.site.database.write() as connection:
            if kind == "silence":
                create_silence(connection, author="U1", reason="r", now=self.now, rule_id=rule, until=until)
            elif kind == "snooze":
                snooze(connection, ALERT.c.rule_id == rule, until, "U1")
            else:
                firing = (ALERT.c.rule_id == rule, ALERT.c.state == "firing")
                values = {"acknowledged_at": self.now, "acknowledged_by": "U1"}
                connection.execute(sa.update(ALERT).where(*firing).values(values))

    def _look(self) -> None:
        """Note of each alert that may speak since this poll whether it has to: its subject has nothing as grave."""
        rows = self.site.rows(
            sa.select(
                *(ALERT.c[name] for name in ("id", "rule_id", "subject", "acknowledged_at", "fired_at", "heard_at")),
                INCIDENT.c.severity,
            )
            .join(INCIDENT, INCIDENT.c.id == ALERT.c.incident_id)
            .where(ALERT.c.state == "firing", AUDIBLE)
        )
        for row in rows:
            if row.id in self.before or row.acknowledged_at is not None:
                continue
            grave = GRAVE.index(row.severity)
            covers = [
                o for o in rows if o.subject == row.subject and o.id != row.id and GRAVE.index(o.severity) <= grave
            ]
            if not covers or self.documents[row.rule_id].get("safety"):
                # what fired at a poll that was killed may have been told since
                self.debts[row.id] = max(filter(None, (row.fired_at, row.heard_at)))
        self.before = {row.id for row in rows}

    def unsaid(self) -> list[int]:
        """The debts that no card, summary or reply has paid."""
        cards = self.site.rows(sa.select(OUTBOX).where(OUTBOX.c.kind.in_(["alert_card", "roll_up"])))
        heads = {row.id: row for row in cards}
        replies = self.site.rows(sa.select(OUTBOX).where(OUTBOX.c.kind == "alert_reply"))
        unpaid = []
        for alert_id, since in self.debts.items():
            (alert,) = self.site.rows(sa.select(ALERT).where(ALERT.c.id == alert_id))
            mine = [heads[row.rolled_into or row.id] for row in cards if row.incident_id == alert.incident_id]
            told = {row.thread_of for row in replies if _names(row.facts, alert_id)}
            heard = [row.id in told or row.sent_at is None or row.sent_at >= since for row in mine]
            if not mine or not (all(heard) or alert.switched_on is not None):
                unpaid.append(alert_id)
        return unpaid

    def named_wrongly(self) -> list[Any]:
        """The alerts that fire and are told twice in a channel, and what is said by a message that is said itself."""
        twice = (
            sa.select(ALERT.c.id, OUTBOX.c.channel)
            .join(OUTBOX, OUTBOX.c.incident_id == ALERT.c.incident_id)
            .where(ALERT.c.state == "firing", OUTBOX.c.kind == "alert_card")
            .group_by(ALERT.c.id, OUTBOX.c.channel)
            .having(sa.func.count() > 1)
        )
        head = OUTBOX.alias("head")
        chains = sa.select(OUTBOX.c.id).join(head, head.c.id == OUTBOX.c.rolled_into)
        chained = chains.where(
            OUTBOX.c.kind == "alert_card", head.c.kind == "alert_card", head.c.rolled_into.is_not(None)
        )
        return [*self.site.rows(twice), *self.site.rows(chained), *self.two_cards()]

    def two_cards(self) -> list[Any]:
        """The problems that have two messages in one channel at once."""
        of = sa.func.coalesce(OUTBOX.c.rolled_into, OUTBOX.c.id)
        return list(
            self.site.rows(
                sa.select(INCIDENT.c.problem_key, OUTBOX.c.channel)
                .join(OUTBOX, OUTBOX.c.incident_id == INCIDENT.c.id)
                .where(INCIDENT.c.resolved_at.is_(None), OUTBOX.c.kind == "alert_card")
                .group_by(INCIDENT.c.problem_key, OUTBOX.c.channel)
                .having(sa.func.count(sa.distinct(of)) > 1)
            )
        )


def _names(facts: dict[str, Any], alert_id: int) -> bool:
    return any(alert_id in told for told in facts.values() if isinstance(told, list))


def documents(severity: dict[str, str], extra: dict[str, Any], **more: Any) -> dict[str, dict[str, Any]]:
    said: dict[str, dict[str, Any]] = {}
    for name, (thing, when) in WHEN.items():
        said[name] = {"name": name, "for_each": thing, "when": when, "severity": severity[name], **more}
    if extra["safety"]:
        said[extra["safety"]]["safety"] = True
    if extra["inhibits"]:
        said["offline"]["inhibits"] = ["faulted"]
    return said


@example(story=SWAPPED, severity=dict.fromkeys(WHEN, "critical"), extra=CALM, routed=False, night=False)
@example(story=ANOTHER_PLUG, severity=dict.fromkeys(WHEN, "warning"), extra=CALM, routed=False, night=False)
@example(
    story=GRAVER, severity=dict.fromkeys(WHEN, "info") | {"coded": "critical"}, extra=CALM, routed=True, night=False
)
@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories, severity=severities, extra=extras, routed=st.booleans(), night=st.booleans())
def test_grouping_changes_no_transition_names_each_alert_once_and_hides_nothing_grave(
    sqlite: Database,
    story: list[tuple[Any, ...]],
    severity: dict[str, str],
    extra: dict[str, Any],
    *,
    routed: bool,
    night: bool,
) -> None:
    plan = SpeechPlan(ROUTES if routed else (), NIGHT if night else None)
    by_itself = World(sqlite, documents(severity, extra, group_by=[]), plan)
    for event in story:
        by_itself.live(*event)
    world = World(sqlite, documents(severity, extra), plan)
    for event in story:
        world.live(*event)
        assert world.named_wrongly() == []
    assert world.moved == by_itself.moved
    assert world.unsaid() == []
