"""Rules, silences and acknowledgements in the whole service: shown first, done once, kept over a restart."""

import asyncio
from functools import partial
from typing import Any

import sqlalchemy as sa

from storage.schema import AUDIT, SILENCE
from tests.bot.house import FAULTED, House

HOT = "name: hot; for_each: connector; when: connector.status == “Faulted”; for: 5m; notify: #ev-alerts"


def rows(house: House, statement: sa.Select[Any]) -> list[Any]:
    with house.running.database.read() as connection:
        return list(connection.execute(statement).all())


async def said(house: House, text: str, user: str = "ada") -> str:
    return (await house.ask(text, user)).plain().replace("\n", " ")


async def do(house: House, text: str) -> str:
    """Ask for a change, confirm it, and tell what the preview became."""
    preview = await house.ask(text)
    await house.click("ada", preview, "confirm_rule")
    await house.wait_for(lambda: "confirm_rule" not in str(preview.blocks))
    return preview.plain().replace("\n", " ")


async def test_a_rule_made_in_slack_is_shown_first_fires_at_once_and_outlives_a_restart(closed_house: House) -> None:
    house = closed_house
    broken = house.free()
    house.break_connector(broken)
    await house.start()
    preview = await house.ask(f"rules add {HOT}")
    assert "1 new alert would fire at once" in preview.plain()
    assert "when: connector.status == &quot;Faulted&quot;" in preview.plain() or "Faulted" in preview.plain()
    assert "There is no rule yet" in await said(house, "rules")
    await house.click("ada", preview, "confirm_rule")
    await house.wait_for(lambda: "1 new alert fires" in preview.plain())
    card = await house.card_of_an_alert()
    assert broken in card.plain()
    await house.stop()
    await house.start(polled=False)
    assert list(house.running.jobs.rules.documents) == ["hot"]
    assert "last by <@U0ADA00001>: *1 firing*" in await said(house, "rules")
    assert f"*hot* on `{broken}`" not in await said(house, "alerts")
    why = await said(house, f"why {broken}")
    assert "inactive to firing (condition true): `connector.status` `Faulted`" in why, why
    assert "would end as" in await said(house, 'rules edit hot when: connector.status == "Unavailable"')
    assert 'ended as "rule changed"' in await do(house, 'rules edit hot when: connector.status == "Unavailable"')
    assert "(when)" in await said(house, "rules history hot")
    assert "Rule `hot` is deleted" in await do(house, "rules delete hot")
    assert [row.outcome for row in rows(house, sa.select(AUDIT).order_by(AUDIT.c.id))] == [
        "created",
        "changed",
        "deleted",
    ]


async def test_what_is_wrong_with_a_rule_is_shown_with_a_caret_and_of_two_changes_the_second_is_told(
    house: House,
) -> None:
    wrong = (await house.ask('rules add name: hot; for_each: connector; when: connector.statu == "Faulted"')).plain()
    assert 'did you mean "connector.status"?' in wrong
    assert "\n" + " " * 10 + "^" in wrong
    assert "needs the role admin" in await said(house, f"rules add {HOT}", "ole")
    await do(house, f"rules add {HOT}")
    first, second = await house.ask("rules edit hot for: 6m"), await house.ask("rules edit hot for: 7m")
    await house.click("ada", first, "confirm_rule")
    await house.wait_for(lambda: "is changed by" in first.plain())
    before = len(house.workspace.ephemerals("ada"))
    await house.click("ada", second, "confirm_rule")
    refusal = await house.next_whisper("ada", before)
    assert "changed meanwhile: it is at version 2, and you were shown 1" in refusal.plain()
    before = len(house.workspace.ephemerals("ada"))
    await house.ask("rules backtest hot 1d")
    answer = await house.next_whisper("ada", before + 1)
    assert "Backtest of `hot`" in answer.plain()


async def test_a_rule_of_a_file_is_read_only_and_two_clicks_on_confirm_make_one_rule(closed_house: House) -> None:
    house = closed_house
    await house.start(FAULTED)
    assert "stands in test and can only be changed there" in await said(house, "rules off connector-faulted")
    assert "is taken: that rule stands in test" in await said(house, "rules add library/connector-faulted")
    preview = await house.ask(f"rules add {HOT}")
    value = next(
        element["value"]
        for block in preview.blocks
        if block["type"] == "actions"
        for element in block["elements"]
        if element["action_id"] == "confirm_rule"
    )
    before = len(house.workspace.ephemerals("ada"))
    await asyncio.gather(*(house.click("ada", preview, "confirm_rule", value) for _ in range(2)))
    told = await house.next_whisper("ada", before)
    assert "was confirmed before" in told.plain()


async def test_a_silence_and_an_acknowledgement_are_done_as_they_are_typed(closed_house: House) -> None:
    house = closed_house
    broken = house.free()
    house.break_connector(broken)
    await house.start(FAULTED)
    card = await house.card_of_an_alert()
    assert "needs the role operator" in await said(house, f"silence {broken} for 2h Works", "vera")
    silenced = await said(house, f"silence {broken} for 2h Technician on site", "ole")
    assert "It concerns 1 alert that fires now" in silenced
    await house.wait_for(lambda: "Silenced by <@U0OLE00002>" in card.plain())
    listed = await house.ask("silences", "ole")
    await house.click("ole", listed, "run_words_1")
    await house.wait_for(lambda: "Silenced by" not in card.plain())
    assert "Acknowledged: 1 alert" in await said(house, f"ack {broken}", "ole")
    await house.wait_for(lambda: "Acknowledged by <@U0OLE00002>" in card.plain())
    weekly = await said(house, f"silence {broken} weekly sat 02:00-04:00 from 2026-03-01 Updates", "ole")
    assert "Sat 02:00 to 04:00, each location's own time, from 2026-03-01" in weekly
    assert "No session is open there" in await said(house, f"silence {broken} until session end Works", "ole")
    audited = [(row.user, row.action) for row in rows(house, sa.select(AUDIT).order_by(AUDIT.c.id))]
    assert [action for _, action in audited] == ["silence", "end silence", "acknowledge", "silence"]
    assert {user for user, _ in audited} == {"U0OLE00002"}
    reasons = [row.reason for row in rows(house, sa.select(SILENCE).order_by(SILENCE.c.id))]
    assert reasons == ["Technician on site", "Updates"]


async def test_a_rule_is_read_with_the_quotes_and_lengths_that_people_type(house: House) -> None:
    typed = (
        "rules add name: hot; for_each: connector; when: connector.status == \u201cFaulted\u201d; for: 5 minutes; "
        "actions: [{reset: soft, limit: 3 per day, within: 6 minutes}]"
    )
    shown = (await house.ask(typed)).plain()
    assert 'when: connector.status == "Faulted"' in shown
    assert "for: 5m" in shown
    assert "limit: 3 per" in shown
    listed = typed.replace("== \u201cFaulted\u201d", "in [\u2018Faulted\u2019]")
    assert "in ['Faulted'" in (await house.ask(listed)).plain()


async def test_a_backtest_takes_its_days_as_people_say_them(closed_house: House) -> None:
    await closed_house.start(FAULTED)

    def is_told(words: str, times: int = 1) -> bool:
        told = closed_house.workspace.ephemerals("ada")
        return sum(words in one.plain() for one in told) >= times

    # on a slow machine it is told first that it is being worked on
    for number, days in enumerate(("2 days", "over 2 days", "2d", "a week"), start=1):
        await closed_house.ask(f"rules backtest connector-faulted {days}")
        await closed_house.wait_for(partial(is_told, "fired in what is known", number))
    assert not is_told("goes back")
    await closed_house.ask("rules backtest connector-faulted soon")
    await closed_house.wait_for(partial(is_told, "and not `soon`"))
