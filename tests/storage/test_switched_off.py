"""What an account lacks, and what waits to be said, as `/charge health` reads them from either database."""

from datetime import datetime, timedelta

from notify.outbox import NOTICE, Backlog, backlog, enqueue_message
from storage.engine import Database
from storage.health import (
    ASK_AGAIN_AFTER,
    FAILED,
    Counted,
    poll_health,
    record_counts,
    record_switched_off,
    record_switched_on,
    switched_off,
)
from storage.polls import PollState, store_poll_states
from tests.readings import MINUTE, T0, poll


def names(database: Database, now: datetime = T0) -> list[tuple[str, str]]:
    with database.read() as connection:
        return [(one.name, one.reason) for one in switched_off(connection, now)]


def test_an_action_is_off_for_an_hour_or_until_it_works(database: Database) -> None:
    with database.write() as connection:
        record_switched_off(connection, "pricing", "forbidden", T0)
        record_switched_off(connection, "report_summary", "not_found", T0)
    assert names(database) == [("pricing", "forbidden"), ("report_summary", "not_found")]
    with database.write() as connection:
        record_switched_on(connection, "pricing")
    assert names(database) == [("report_summary", "not_found")]
    assert names(database, T0 + ASK_AGAIN_AFTER) == []
    with database.write() as connection:
        record_switched_off(connection, "report_summary", "not_found", T0 + ASK_AGAIN_AFTER)
    assert names(database, T0 + ASK_AGAIN_AFTER) == [("report_summary", "not_found")]


def failed(database: Database, reason: str, now: datetime = T0) -> None:
    """A poll of the sessions that failed for this reason."""
    with database.write() as connection:
        store_poll_states(connection, [PollState("sessions", now, None, None, None, 1, "no")])
        record_counts(connection, [Counted("sessions", FAILED, reason)], now)


def test_a_polled_resource_is_off_while_its_last_poll_said_so(database: Database) -> None:
    failed(database, "forbidden")
    assert names(database) == [("sessions", "forbidden")]
    assert names(database, T0 + 5 * ASK_AGAIN_AFTER) == [("sessions", "forbidden")]
    failed(database, "server_fault", T0 + MINUTE)
    assert names(database) == []
    failed(database, "not_found", T0 + 2 * MINUTE)
    with database.read() as connection:
        assert [one.name for one in poll_health(connection, T0 + 2 * MINUTE).switched_off] == ["sessions"]
    poll(database, T0 + 3 * MINUTE, resource="sessions")
    assert names(database) == []


def test_the_backlog_counts_what_is_due_and_not_said(database: Database) -> None:
    with database.write() as connection:
        assert backlog(connection, T0) == Backlog(0, None, 0, 0)
        for number in range(3):
            facts = {"title": "t", "text": str(number)}
            later = T0 + timedelta(minutes=number)
            enqueue_message(connection, natural_key=str(number), kind=NOTICE, channel="C1", facts=facts, now=later)
        assert backlog(connection, T0 + MINUTE) == Backlog(2, T0, 0, 0)
        connection.exec_driver_sql("UPDATE outbox SET error = 'channel_not_found' WHERE natural_key = '0'")
        connection.exec_driver_sql("UPDATE outbox SET shown_version = version WHERE natural_key = '1'")
        assert backlog(connection, T0 + 5 * MINUTE) == Backlog(2, T0, 1, 0)
