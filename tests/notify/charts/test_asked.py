"""The chart of a card: of its one charger, else its one place, over the day before, and once for all who ask."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from notify.charts.asked import enqueue_card_chart
from notify.charts.picture import PICTURE, draw_picture
from notify.outbox import CARD_CHART
from notify.render import render_message
from notify.text.limits import check_message
from storage.engine import Database
from storage.schema import ALERT, LOCATION, OUTBOX
from tests.notify.alert_cards.test_card import NOW, assert_harmless, enqueue_card
from tests.notify.records import HOSTILE, one_alert, without_nul


def asked(
    database: Database, user: str = "U1", after: timedelta = timedelta(), alert: Any = None
) -> tuple[bool, list[Any]]:
    """Whether a chart of the one card was enqueued, and all that were."""
    with database.write() as connection:
        if alert:
            connection.execute(sa.update(ALERT).values(**alert))
        card = connection.execute(sa.select(OUTBOX.c.id).where(OUTBOX.c.kind == "alert_card")).scalar_one()
        done = enqueue_card_chart(connection, card, sa.true(), user, default_zone="UTC", now=NOW + after)
        charts = sa.select(OUTBOX).where(OUTBOX.c.kind == CARD_CHART).order_by(OUTBOX.c.created_at)
        return done, list(connection.execute(charts))


def with_a_card(database: Database) -> Database:
    with database.write() as connection:
        one_alert(connection)
        enqueue_card(connection)
    return database


def test_it_is_of_the_charger_else_of_the_place_else_of_all(database: Database) -> None:
    with_a_card(database)
    alerts: list[dict[str, str | None]] = [{"charger_id": "ch-c1"}, {"charger_id": None}, {"location_id": None}]
    for number, (alert, about) in enumerate(zip(alerts, ("charger", "location", None), strict=True)):
        done, charts = asked(database, after=timedelta(hours=number), alert=alert)
        assert done
        assert {"charger", "location"} & charts[-1].facts.keys() == ({about} if about else set())
        with database.read() as connection:
            chart = draw_picture(connection, charts[-1].facts).chart
        assert chart.alt.startswith("Status of connectors, ")
        assert (charts[-1].facts[about] in chart.title) if about else chart.title.endswith("2026")


def test_two_who_ask_at_once_get_one_and_later_there_is_another(database: Database) -> None:
    with_a_card(database)
    assert [asked(database, user)[0] for user in ("U1", "U2")] == [True, False]
    done, charts = asked(database, after=timedelta(minutes=6))
    assert done
    assert len(charts) == 2
    assert charts[0].thread_of == charts[1].thread_of is not None


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_the_chart_of_a_card(database: Database, name: str) -> None:
    told = without_nul(name, database)
    with_a_card(database)
    with database.write() as connection:
        connection.execute(sa.update(LOCATION).values(timezone=told))
        connection.execute(sa.update(OUTBOX).values(message_channel="C1", message_ts="1.0"))
    _, (chart,) = asked(database, alert={"charger_id": told})
    with database.write() as connection:
        alt = draw_picture(connection, chart.facts).chart.alt
        for picture in ({"alt": alt, "file": "F1"}, {"alt": alt, "without": "no font"}):
            facts = {**chart.facts, PICTURE: picture}
            connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id == chart.id).values(facts=facts))
            item = connection.execute(sa.select(OUTBOX).where(OUTBOX.c.id == chart.id)).one()
            message = render_message(connection, item, NOW)
            assert check_message(message) == []
            assert_harmless(message, "")
            assert ("no font" in str(message.blocks)) is ("without" in picture)
