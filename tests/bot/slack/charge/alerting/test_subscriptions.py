"""Subscriptions: who may ask for which alerts, what is said of that, and one card a problem in each place, no more."""

import asyncio
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from bot.slack.listeners.home import refresh_homes
from bot.slack.listeners.home_tabs import PAUSE
from sandbox.slack import Message, View
from sandbox.slack.workspace.model import Channel, User
from storage.schema import ALERT, AUDIT, OUTBOX, SUBSCRIPTION
from tests.bot.house import FAULTED, House, polled_anew

DARK: dict[str, Any] = {
    "name": "site-dark",
    "for_each": "location",
    "when": "share(location.chargers where not charger.online) >= 50 %",
    "severity": "warning",
    "labels": {"team": "grid"},
}
TOLD = {"name": "sessions-told", "on": "session.ended"}
AT_ONCE = {key: value for key, value in FAULTED.items() if key != "for"} | {"labels": {"team": "field"}}


@pytest.fixture
async def ruled(closed_house: House) -> House:
    """The service at work, with channels that the bot is not in, an archived and a private one, and a guest."""
    house = closed_house
    ids = [user.id for user in house.workspace.users.values()]
    house.workspace.channels["C0OLD00005"] = Channel("C0OLD00005", "ev-old", ids, is_archived=True)
    house.workspace.channels["C0PRIV0006"] = Channel("C0PRIV0006", "ev-board", ids, is_private=True)
    house.workspace.users["U0GWEN0008"] = User("U0GWEN0008", "gwen", "Gwen", is_guest=True)
    house.changes["chargehand_outsiders_may_look"] = True
    house.interval = 60
    await house.start(AT_ONCE, DARK, TOLD)
    return house


def kept(house: House) -> list[Any]:
    with house.running.database.read() as connection:
        return list(connection.execute(sa.select(SUBSCRIPTION).order_by(SUBSCRIPTION.c.id)).all())


async def firing(house: House, number: int) -> None:
    """Return once so many alerts fire, with the wait for their groups passed."""
    statement = sa.select(sa.func.count()).where(ALERT.c.state == "firing")
    async with asyncio.timeout(120):
        while True:
            await polled_anew(house.running)
            with house.running.database.read() as connection:
                if connection.execute(statement).scalar_one() >= number:
                    break
    house.clock.ahead += house.running.jobs.routing(house.clock()).group_wait * 2


def posted(house: House, place: str) -> list[Message]:
    """What stands in a channel, or in a person's messages, beside replies."""
    own = house.workspace
    there = own.direct_channel(own.user(place).id) if place.startswith("@") else own.channel(place)
    return [message for message in there.messages if not message.is_reply]


def cards(house: House, place: str) -> list[Message]:
    return [
        message
        for message in posted(house, place)
        if "Severity" in message.plain() or "out of order" in message.plain()
    ]


WRONG = [
    ("vera", "#ev-ops", "severity>=warning", "subscribed by operators and admins", "subscribe me severity>=warning"),
    ("gwen", "#ev-ops", "#ev-ops all", "subscribed by operators and admins", "subscribe me all"),
    ("ole", "#general", "all", "I am not in that channel", "/invite @Chargehand"),
    ("ole", "#ev-ops", "#general all", "or it is not there: #general", "subscribe me all"),
    ("ole", "#ev-ops", "#ev-old all", "That channel is archived", "subscribe me all"),
    ("ole", "#ev-ops", "#nope all", "Slack knows no such channel", "subscribe me all"),
    ("ole", "#ev-ops", "", "needs to know to what", "subscribe me severity>=warning"),
    ("vera", "#ev-ops", "me severity>=wraning", "A severity is info, warning or critical", "severity>=warning"),
    ("vera", "#ev-ops", "me severity>critical", "No severity is graver", "severity=critical"),
    ("ada", "#ev-ops", "<@U0OLE00002> all", "Each person subscribes for themselves", "subscribe me all"),
    ("vera", "#ev-ops", "me rule=site-drk", "/charge rules show site-dark", "rules"),
    ("vera", "#ev-ops", "me severty=warning", "A subscription has no severty", "subscribe me severity=warning"),
    ("vera", "#ev-ops", "me team=gird", "with the value gird", "subscribe me team=grid"),
    ("vera", "#ev-ops", "me rule=sessions-told", "this rule makes none", "rules show sessions-told"),
    ("vera", "#ev-ops", "me location=nowhere", "There is no location with the id", "/charge"),
    ("vera", "#ev-ops", "me rule=site-dark team=field", "This rule has no such label", "rules show site-dark"),
]


async def test_what_could_tell_nobody_of_anything_is_refused_with_what_to_do(ruled: House) -> None:
    for user, channel, said, problem, mend in WRONG:
        answer = (await ruled.ask(f"subscribe {said}", user, channel)).plain().replace("`", "").replace("&gt;", ">")
        assert problem in answer, (said, answer)
        assert mend in answer, (said, answer)
    assert kept(ruled) == []


async def test_a_channel_a_person_and_a_guest_subscribe_and_overlaps_are_told(ruled: House) -> None:
    house = ruled
    which = await house.ask('subscribe severity >= warning location="1"', "vera", "@vera")
    assert '"words":"subscribe me location=100 severity&gt;=warning"' in str(which.blocks)
    first = (await house.ask("subscribe severity >= warning", "vera", "@vera")).plain()
    assert "I tell you here, in my messages to you, of `severity warning or graver`" in first
    assert "Nothing of it fires now" in first
    assert "to you already" not in first
    again = (await house.ask("subscribe severity>=warning", "vera", "@vera")).plain()
    assert "You are subscribed to `severity warning or graver` already" in again
    narrow = (await house.ask("subscribe me severity=critical team=field", "vera")).plain()
    assert "cover this already" in narrow.replace("covers", "cover")
    wide = (await house.ask("subscribe me all", "vera")).plain()
    assert "of `every alert`" in wide
    assert "which are not needed any more" in wide
    ops = (await house.ask("subscribe rule=site-dark", "ole", "#ev-ops")).plain()
    assert "<#C0OPS00003> hears of `rule site-dark`" in ops
    assert "hears of some of it already" not in ops
    alerts = (await house.ask("subscribe #ev-alerts all", "ole", "#ev-ops")).plain()
    assert "<#C0ALERTS01> hears of some of it already: rules `connector-faulted`, `site-dark` speak there" in alerts
    assert "Nothing is said twice" in alerts
    guest = (await house.ask("subscribe me severity>=critical", "gwen")).plain()
    assert "in my messages to you" in guest
    rows = [(row.channel, row.name, tuple(row.severities), row.rule_id, row.is_outside) for row in kept(house)]
    assert ("U0GWEN0008", "", ("critical",), None, True) in rows
    assert ("C0OPS00003", "ev-ops", (), "site-dark", False) in rows
    (told,) = await house.wait_for(lambda: lines(house, "#ev-ops", "subscribed"))
    assert "<@U0OLE00002> subscribed this channel to `rule site-dark`" in told.plain()
    with house.running.database.read() as connection:
        audited = connection.execute(sa.select(AUDIT.c.subject).where(AUDIT.c.action == "subscribe")).scalars().all()
    assert len(audited) == len(kept(house))


def lines(house: House, channel: str, what: str) -> list[Message]:
    return [message for message in house.workspace.channel(channel).messages if what in message.plain()]


async def test_each_sees_and_ends_what_is_theirs_to_end(ruled: House) -> None:
    house = ruled
    house.workspace.channel("#ev-board").members.append(house.workspace.team.bot_user)
    await house.ask("subscribe me severity>=critical", "vera")
    await house.ask("subscribe all", "ole", "#ev-board")
    await house.ask("subscribe me all", "ole")
    await house.ask("subscribe all", "ole", "#ev-ops")
    seen = {user: (await house.ask("subscriptions", user)).plain() for user in ("vera", "ole", "ada", "gwen")}
    assert "*you*" in seen["vera"]
    assert "C0PRIV0006" not in seen["vera"]
    assert "C0PRIV0006" not in (await house.ask("unsubscribe 2", "vera")).plain()
    assert "C0PRIV0006" in (await house.ask("subscriptions", "vera", "#ev-board")).plain()
    assert "C0PRIV0006" in seen["ole"]
    assert "<@U0VERA0003>" not in seen["ole"].replace("by <@U0VERA0003>", "")
    assert "<@U0VERA0003>" in seen["ada"]
    assert "C0OPS00003" in seen["gwen"]
    refusals = {
        ("vera", "4"): "ended by operators and admins",
        ("vera", "2"): "no such subscription",
        ("vera", "3"): "no such subscription",
        ("ole", "1"): "no such subscription",
        ("ole", "99"): "no such subscription",
    }
    for (user, number), problem in refusals.items():
        assert problem in (await house.ask(f"unsubscribe {number}", user)).plain(), (user, number)
    assert [row.ended_at for row in kept(house)] == [None] * 4
    listed = await house.ask("subscriptions", "vera")
    await house.click("vera", listed, "run_words_1", '{"words":"unsubscribe 1"}')
    await house.wait_for(lambda: kept(house)[0].ended_by == "U0VERA0003")
    assert "is not told of" in (await house.ask("unsubscribe", "ole", "#ev-ops")).plain()
    assert "unsubscribe me all" in (await house.ask("unsubscribe all", "ole", "#ev-ops")).plain()
    assert "unsubscribe me all" not in (await house.ask("unsubscribe all", "vera", "#ev-ops")).plain()
    assert "subscription 2" in (await house.ask("unsubscribe #ev-board all", "ole", "#ev-board")).plain()
    await house.ask("subscribe me rule=site-dark", "ole")
    assert "Which one is to end?" in (await house.ask("unsubscribe", "ole", "@ole")).plain()
    assert "not told of `rule site-dark`" in (await house.ask("unsubscribe me rule=site-dark", "ole")).plain()
    assert "any more" in (await house.ask("unsubscribe 3", "ada")).plain()
    assert all(row.ended_at is not None for row in kept(house))


async def test_later_problems_have_one_card_in_each_place_and_earlier_ones_are_listed(ruled: House) -> None:
    house, first, second = ruled, ruled.free(0), ruled.free(3)
    house.break_connector(first)
    await firing(house, 1)
    await house.wait_for(lambda: cards(house, "#ev-alerts"))
    for said, user, channel in [
        ("subscribe severity>=critical", "vera", "@vera"),
        ("subscribe me team=field", "vera", "#ev-ops"),
        ("subscribe rule=connector-faulted", "ole", "#ev-ops"),
        ("subscribe all", "ole", "#ev-alerts"),
        ("subscribe rule=site-dark", "ole", "#ev-daily"),
    ]:
        answer = (await house.ask(said, user, channel)).plain()
        stands = "Nothing of it fires" if "site-dark" in said else "*What stands now*, and is not told again"
        assert stands in answer, said
    house.break_connector(second)
    await firing(house, 2)
    for place in ("@vera", "#ev-ops"):
        told = await house.wait_for(partial(cards, house, place))
        assert [first in card.plain() for card in told] == [False], place
    await house.wait_for(lambda: len(cards(house, "#ev-alerts")) == 2)
    assert len(cards(house, "@vera")) == len(cards(house, "#ev-ops")) == 1
    assert cards(house, "#ev-daily") == []
    house.fleet.force_connector(second, {"status": "Available", "errorCode": "NoError"}, house.clock())
    await polled_anew(house.running)
    await house.wait_for(lambda: "ecovered" in cards(house, "@vera")[0].plain())


async def test_a_storm_is_one_roll_up_for_each_who_subscribed(ruled: House) -> None:
    house = ruled
    await house.ask("subscribe me all", "vera")
    for connector in [house.free(number) for number in range(8)]:
        house.break_connector(connector)
    await firing(house, 8)
    for place in ("#ev-alerts", "@vera"):
        told = await house.wait_for(partial(posted, house, place))
        assert ["8 connectors" in message.plain() for message in told] == [True], (place, [one.plain() for one in told])


async def test_what_an_archived_channel_subscribed_to_is_not_said_twice_elsewhere(
    ruled: House,
) -> None:
    house = ruled
    await house.ask("subscribe all", "ole", "#ev-daily")
    house.workspace.archive("#ev-daily")
    house.break_connector(house.free())
    await firing(house, 1)
    await house.wait_for(lambda: cards(house, "#ev-alerts"))
    statement = sa.select(OUTBOX.c.channel, OUTBOX.c.error).where(OUTBOX.c.kind == "alert_card")

    def left_out() -> bool:
        house.running.ticker.wake("deliver")
        with house.running.database.read() as connection:
            told = {row.channel: row.error for row in connection.execute(statement)}
        return told == {"#ev-alerts": None, "C0DAILY002": "said elsewhere"}

    await house.wait_for(left_out)
    assert len(cards(house, "#ev-alerts")) == 1
    assert [row.ended_at for row in kept(house)] == [None]


async def test_the_home_tab_shows_and_ends_them(ruled: House) -> None:
    house = ruled
    await house.ask("subscribe me severity>=critical", "vera")
    await house.ask("subscribe all", "ole", "#ev-ops")
    views: dict[str, View] = {}
    for user in ("vera", "ole"):
        await house.workspace.open_home(user)
        views[user] = await house.wait_for(partial(house.workspace.home, user))
    ends = {
        user: [block["accessory"] for block in view.blocks if "unsubscribe" in str(block.get("accessory"))]
        for user, view in views.items()
    }
    assert "severity critical" in str(views["vera"].blocks)
    assert "C0OPS00003" in str(views["vera"].blocks)
    assert "severity critical" not in str(views["ole"].blocks)
    assert [len(ends["vera"]), len(ends["ole"])] == [1, 1]
    (button,) = ends["vera"]
    await house.click("vera", views["vera"], button["action_id"], button["value"])
    told = await house.wait_for(lambda: house.workspace.modal("vera"))
    await house.wait_for(lambda: "You are not told of" in str(told.blocks))
    assert [row.ended_by for row in kept(house)] == ["U0VERA0003", None]
    house.clock.ahead += PAUSE
    await refresh_homes(house.running.responder, house.clock())
    assert "severity critical" not in str(house.workspace.home("vera").blocks)  # type: ignore[union-attr]  # it was opened


async def test_a_list_of_alerts_offers_to_tell_of_what_it_is_filtered_for(ruled: House) -> None:
    answer = await ruled.ask("alerts rule=connector-faulted", "vera")
    before = len(ruled.workspace.ephemerals("vera"))
    await ruled.click("vera", answer, "run_words_11", '{"words":"subscribe me rule=connector-faulted"}')
    told = await ruled.next_whisper("vera", before)
    assert "of `rule connector-faulted`" in told.plain()
    assert [row.channel for row in kept(ruled)] == ["U0VERA0003"]
    assert "Tell me of these" not in str((await ruled.ask("alerts", "vera")).blocks)


async def test_whoever_ends_a_channel_s_subscriptions_is_told_how_their_own_end(ruled: House) -> None:
    for words in "subscribe me all", "subscribe #ev-ops severity>=critical":
        await ruled.ask(words)
    assert "/charge unsubscribe me all" in (await ruled.ask("unsubscribe all")).plain()
    assert "/charge unsubscribe me all" in (await ruled.ask("unsubscribe all")).plain(), "of the channel none is left"
    assert "any more" in (await ruled.ask("unsubscribe me all")).plain()
    assert "unsubscribe me all" not in (await ruled.ask("unsubscribe me all")).plain()
