"""Every kind of digest at its longest, with names that shout or break out: it stays one message, and harmless."""

from typing import Any

import pytest
import sqlalchemy as sa

from notify.digests.tables import tables_of
from notify.outbox import enqueue_message
from notify.render import render_message
from rules.documents.reader import DIGESTS
from sandbox.slack.block_kit.blocks import faults_of_message
from storage.engine import Database
from storage.schema import OUTBOX
from tests.notify.alert_cards.test_card import assert_harmless, check, mrkdwn_of
from tests.notify.digests.maximal import maximal
from tests.notify.digests.test_kinds import a_day, said_of
from tests.notify.records import HOSTILE, T0

NAMES = [name.replace("\x00", "") for name in HOSTILE]


@pytest.mark.parametrize("kind", DIGESTS)
def test_no_input_breaks_a_digest_or_makes_it_more_than_one_message(sqlite: Database, kind: str) -> None:
    reasons = (None, "no font", "refused", "other")
    with sqlite.write() as connection:
        for number, name in enumerate(NAMES):
            facts = maximal(kind, name, without=reasons[number % len(reasons)])
            key = {"natural_key": str(number), "kind": "digest", "channel": "C1"}
            enqueue_message(connection, **key, facts=facts, now=T0)
            if lists := tables_of(facts):
                key = {"natural_key": f"{number}:lists", "kind": "digest_tables", "channel": "C1"}
                enqueue_message(connection, **key, facts=lists, now=T0)
        items = connection.execute(sa.select(OUTBOX).order_by(OUTBOX.c.natural_key)).all()
        for item in items:
            message = render_message(connection, item, T0)
            check(message)
            assert faults_of_message(message.blocks, lambda _: True) == []
            assert_harmless(message, NAMES[int(item.natural_key.partition(":")[0])])
            if item.kind == "digest" and kind in {"sessions", "revenue"}:
                assert "and 52 more currencies" in " ".join(mrkdwn_of(message))


@pytest.mark.parametrize("kind", DIGESTS)
def test_the_longest_facts_are_of_the_shape_of_real_ones(database: Database, kind: str) -> None:
    a_day(database)
    facts, _ = said_of(database, kind)
    assert missing(facts, maximal(kind, "x")) == []


def missing(real: Any, made: Any, at: str = "") -> list[str]:
    """The names in real facts that the made ones lack; what was earned, and how it is drawn, are not asked."""
    if isinstance(real, dict) and not at.endswith(("revenue", "chart")):
        lacks = [f"{at}.{key}" for key in real if not isinstance(made, dict) or key not in made]
        inner = [missing(told, made[key], f"{at}.{key}") for key, told in real.items() if key in made]
        return [name for name in lacks if name != ".chart"] + [name for one in inner for name in one]
    if isinstance(real, list) and real and isinstance(made, list):
        return missing(real[0], made[0], f"{at}[]")
    return []
