"""What people read by typing /charge or by a mention: each word's answer, wrong words and ids, pages, rights, age."""

import importlib
import pkgutil
import re

import pytest

from bot.slack import charge
from bot.slack.charge.registry import WORDS, find_word
from bot.slack.charge.topics import TOPICS
from bot.slack.permissions import Role
from sandbox.slack import Message
from tests.bot.house import House, polled_anew

EXAMPLE = re.compile(r"For example `(/charge [^`]+)`")


def words_of(message: Message) -> str:
    return message.plain().replace("\n", " ")


async def test_a_greeting_is_answered_with_what_there_is_to_say(house: House) -> None:
    for said in ("hello", "Hi!", "hey."):
        assert "What you can say" in words_of(await house.ask(said)), said
    assert "There is no word `hello`" in words_of(await house.ask("hello charger"))


async def test_a_rule_that_is_not_there_is_told_with_what_to_say_next(house: House) -> None:
    for said in ("rules show hot", "rules off hot", "rules history hot"):
        answer = words_of(await house.ask(said))
        assert answer.count("There is no rule") == 2, f"{said}: once for eyes, once for notifications"
        assert "`/charge rules`" in answer, said
        assert "Nothing was changed" not in answer, said


async def test_the_first_of_two_words_alone_is_told_its_second(house: House) -> None:
    for said in ("chart", "chart foo"):
        answer = words_of(await house.ask(said))
        assert "`chart` needs to know what" in answer
        assert all(f"/charge chart {one}" in answer for one in ("energy", "status", "uptime", "revenue", "alerts"))


def test_every_word_that_a_module_declares_is_in_the_list() -> None:
    found = pkgutil.walk_packages(charge.__path__, f"{charge.__name__}.")
    declared = [getattr(importlib.import_module(module.name), "WORDS", ()) for module in found]
    assert {word for words in declared for word in words} == set(WORDS)


def said_of_the_fleet(house: House) -> dict[str, str]:
    """Words that look at the fleet or act on it, each with what its answer says."""
    location = next(iter(house.fleet.world.locations))
    return {
        **dict.fromkeys(("", "help"), "What you can say"),
        "status": "connectors",
        "locations": "Locations",
        f"location {location.id}": location.fields["name"].replace("&", "&amp;"),
        "chargers": "Chargers",
        f"charger {house.free()}": house.free(),
        "sessions": "No session is known",
        "session S7-0": "There is no session with the id",
        f"start {house.free()}": "Nothing is sent before you confirm",
        f"stop {house.free()}": "not possible to stop",
        f"reset {house.free().rpartition('.')[0]}": "Nothing is sent before you confirm",
        f"unlock {house.free()}": "EOSVOLT does not report locks",
        f"enable {house.free()}": "is not out of service",
        f"disable {house.free()}": "Nothing is sent before you confirm",
        f"price {location.id}": "VAT included",
        "report": "EOSVOLT's own figures",
        "health": "Polling EOSVOLT",
        "alerts": "No alert is open",
        "ack all": "nothing is left to acknowledge",
        f"silence {house.free()} for 2h Works": "Silence `#1` is in force",
    }


def said_of_rules(house: House) -> dict[str, str]:
    """The other words, each with what its answer says."""
    return {
        "silences": "Works",
        "silence end 1": "is over: what still fires",
        "subscribe me all": "subscription `1`",
        "subscriptions": "every alert",
        "unsubscribe 1": "You are not told of",
        f"why {house.free()} hot": "There is no rule",
        "rules": "There is no rule yet",
        "rules library": "Ready rules",
        "rules accept": "there is nothing to accept",
        "missing": "EOSVOLT shows what it showed before",
        "missing accept": "Nothing is missing",
        "rules add library/zero-energy": "Nothing changes before you confirm",
        **{f"rules {verb} hot": "There is no rule" for verb in ("show", "on", "off", "delete", "history", "backtest")},
        "rules edit hot for: 2m": "There is no rule",
        **dict.fromkeys(("drivers", "teams", "keys"), "Chargehand keeps nothing of it"),
        "do": "no commands beside the usual ones",
        **dict.fromkeys(("digest", "digest list"), "There is no digest yet"),
        **{f"digest {verb} hot": "There is no digest" for verb in ("preview", "now", "pause", "resume")},
        "digest new library/daily-sessions": "Nothing changes before you confirm",
        "export sessions 2026-01-01 2026-01-02": "are being exported",
        **dict.fromkeys((f"export {what}" for what in ("alerts", "audit", "uptime")), "needs a first and a last day"),
        **dict.fromkeys(
            (f"chart {what} 2999-01-01" for what in ("energy", "status", "uptime", "revenue", "alerts")),
            "days that have begun",
        ),
        **dict.fromkeys(("assign #1 me", "note #1 hello", "unack #1"), "No card has the number `#1`"),
        "automations": "Automations are *dry-run*",
        "automations on": "Switch automations *on*?",
        "automations dry-run": "Automations are still *dry-run*",
        "automations off": "Automations are *off*",
        "roles": "You are *admin*, as an admin of the workspace",
        **dict.fromkeys(("grant", "revoke"), "needs one person or user group"),
        "audit": "Who did what",
    }


async def test_each_word_answers_in_both_modes(either_house: House) -> None:
    house = either_house
    said = {**said_of_the_fleet(house), **said_of_rules(house)}
    assert {find_word(tuple(text.split())) for text in said} == set(WORDS)
    for text, expected in said.items():
        assert expected in words_of(await house.ask(text)), text


async def test_answers_are_seen_by_the_person_alone(house: House) -> None:
    await house.ask("status")
    assert house.workspace.ephemerals("vera") == []
    assert house.workspace.channel("#ev-ops").messages == []


def test_every_word_stands_in_one_topic_of_help() -> None:
    told = [word for topic in TOPICS.values() for word in topic.words]
    assert sorted(told) == sorted(word.word for word in WORDS)


async def test_help_has_topics_and_each_what_this_person_may_do(house: House) -> None:
    for person, role in (("vera", Role.VIEWER), ("ole", Role.OPERATOR), ("ada", Role.ADMIN)):
        short = await house.ask("help", person)
        assert f"You are *{role.word}*" in short.plain()
        assert len(short.plain().splitlines()) < 30
        topics = [(await house.ask(f"help {topic}", person)).plain() for topic in TOPICS]
        whole = "\n".join(topics).replace("&gt;", ">")
        for word in WORDS:
            line = next(line for line in whole.splitlines() if line.startswith(f"• `/charge {word.usage}`"))
            assert (f"needs the role {word.needs.word}" in line) is (role < word.needs), word.word
            assert (f"`{word.word}`" in short.plain()) is (role >= word.needs), word.word
    assert "CHARGEHAND_OPERATORS" in (await house.ask("help act", "vera")).plain()


async def test_help_about_one_word_and_about_nothing_that_there_is(house: House) -> None:
    told = words_of(await house.ask("help start", "ole"))
    assert "`/charge start CONNECTOR`" in told
    assert f"`/charge start {house.free()}`" in told
    assert "`/charge stop" not in told
    assert "`/charge silence end NUMBER`" in words_of(await house.ask("help /charge silence", "ole"))
    assert "/charge help rules" in words_of(await house.ask("help ruels"))
    assert "There is no help about" in words_of(await house.ask("help <!channel>"))
    page = await house.ask("help")
    before = len(house.workspace.ephemerals("ada"))
    await house.click("ada", page, "run_words_1")
    assert "*Look at the fleet*" in (await house.next_whisper("ada", before)).plain()


async def test_the_examples_of_help_work_when_pasted(house: House) -> None:
    started = house.fleet.start_session(house.free(), None, house.clock())
    out = house.free(-1)
    house.fleet.set_availability(out.rpartition(".")[0], out, False, house.clock())
    await polled_anew(house.running)
    assert started.id in words_of(await house.ask("sessions active"))
    answers = [await house.ask(f"help {topic}") for topic in TOPICS]
    examples = [example for answer in answers for example in EXAMPLE.findall(answer.plain())]
    assert len(examples) > len(WORDS) / 4, "all but those whose usage is the example, or that need a rule or an alert"
    for example in examples:
        told = words_of(await house.ask(example.removeprefix("/charge ")))
        for refusal in ("There is no", "not possible", "needs the"):
            assert refusal not in told, example


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("strat 1.1.1", "/charge help start"),
        ("digset now", "/charge help digest now"),
        ("statsu.", "/charge status"),
        ("locatoin 5", "/charge location 5"),
        ("statsu", "/charge status"),
        ("Location", "needs the id"),
        ("halp", "/charge help"),
    ],
)
async def test_a_wrong_word_gets_the_nearest_right_one(house: House, typed: str, nearest: str) -> None:
    assert nearest in words_of(await house.ask(typed))


async def test_a_suggestion_that_reads_is_a_button_and_one_that_acts_is_not(house: House) -> None:
    answer = await house.ask("statsu")
    before = len(house.workspace.ephemerals("ada"))
    await house.click("ada", answer, "run_words_1")
    assert "connectors" in (await house.next_whisper("ada", before)).plain()
    wrong = await house.ask(f"start {house.free()}x")
    assert f"/charge start {house.free()}" in wrong.plain()
    assert "run_words" not in str(wrong.blocks)


@pytest.mark.parametrize("kind", ["location", "charger", "start", "stop", "session"])
async def test_a_wrong_id_gets_the_closest_ids(house: House, kind: str) -> None:
    world = house.fleet.world
    session = house.fleet.start_session(house.free(), None, house.clock())
    await polled_anew(house.running)
    known = {
        "location": next(iter(world.locations)).id,
        "charger": next(iter(world.chargers)).id,
        "session": session.id,
    }.get(kind, house.free())
    wrong = known[:-1] + "x"
    told = words_of(await house.ask(f"{kind} {wrong}"))
    assert wrong in told
    close = re.findall(rf"`/charge {kind} ([^`]+)`", told)
    assert close
    assert close[0][:2] == known[:2]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("chargers status=Fautled", "status=Faulted"),
        ("chargers loction=1", "location="),
        ("chargers zebra", "No charger is like"),
        ("sessions yesterdy", "/charge sessions yesterday"),
        ("sessions 2026-02-30..2026-03-01", "no such window"),
        ("sessions 2026-03-02..2026-03-01", "no such window"),
        ("sessions 27.11.2026", "A day is written 2026-03-04"),
        ("charger", "needs the id"),
        ("start", "needs the id"),
        ("chargers " + "x" * 300, "longer than 200"),
    ],
)
async def test_every_mistake_says_what_to_do_next(house: House, typed: str, expected: str) -> None:
    told = words_of(await house.ask(typed))
    assert expected in told
    assert "/charge " in told


async def test_sessions_of_days_as_people_say_them(house: House) -> None:
    for said in ("yesterday", "2026-03-01", "2026-03-01 2026-03-03", "from 2026-03-01 to today", "last week", "7d."):
        told = words_of(await house.ask(f"sessions {said}"))
        assert "no such window" not in told, said
        assert "No session" in told, said
    for said in ("year", "yesterday", "last month", "year 100"):
        assert "EOSVOLT's own figures" in words_of(await house.ask(f"report {said}")), said


async def test_filters_narrow_the_chargers(house: House) -> None:
    broken = house.free()
    location = house.fleet.connectors[broken].charger.planned.location_id
    house.break_connector(broken)
    await polled_anew(house.running)
    told = words_of(await house.ask(f"chargers faulted location={location} online"))
    assert f"`{broken}` Faulted · `GroundFailure`" in told
    assert broken not in words_of(await house.ask(f"chargers status:charging location={location}"))
    charger = house.fleet.connectors[broken].charger.id
    assert charger in words_of(await house.ask(f"chargers {charger} faulted"))


async def test_right_filters_without_a_hit_are_told_from_wrong_ones(house: House) -> None:
    right = words_of(await house.ask("chargers Faulted offline"))
    assert "The filters are right" in right
    wrong = await house.ask("chargers fautled offline")
    assert "Did you mean this?" in wrong.plain()
    assert "/charge chargers faulted offline" in wrong.plain()
    assert "The filters are right" not in wrong.plain()
    assert "The filters are right" in words_of(await house.ask("alerts unacknowledged pending"))


async def test_examples_in_errors_name_things_of_the_fleet(house: House) -> None:
    known = {row["id"] for charger in house.fleet.world.chargers for row in charger.fields["connectors"]}
    known |= {charger.id for charger in house.fleet.world.chargers}
    for said in ("silence", "silence rule=x", "why", f"silence {house.free()} for ever Works"):
        answer = (await house.ask(said)).plain()
        assert "242" not in answer, said
        named = re.findall(r"/charge (?:silence|why) (\d\S*)", answer)
        assert set(named) <= known, said


async def test_long_lists_page_in_place(house: House) -> None:
    first = await house.ask("chargers")
    assert "1 to 10 of 14" in first.plain()
    ids = set(re.findall(r"^• `([^`]+)`", first.plain(), re.MULTILINE))
    await house.click("ada", first, "next_page")
    await house.wait_for(lambda: "11 to 14 of 14" in first.plain())
    others = set(re.findall(r"^• `([^`]+)`", first.plain(), re.MULTILINE))
    assert (len(ids), len(others), ids & others) == (10, 4, set())
    assert "next_page" not in str(first.blocks)
    await house.click("ada", first, "previous_page")
    await house.wait_for(lambda: "1 to 10 of 14" in first.plain())
    assert len(house.workspace.ephemerals("ada")) == 1


async def test_buttons_answer_as_if_their_words_were_typed(house: House) -> None:
    charger = await house.ask(f"charger {house.free()}", "ole")
    button = next(e for b in charger.blocks if b["type"] == "actions" for e in b["elements"])
    await house.click("ole", charger, button["action_id"])
    preview = await house.next_whisper("ole", 1)
    assert "Nothing is sent before you confirm" in preview.plain()


async def test_a_viewer_is_offered_and_allowed_nothing_that_acts(house: House) -> None:
    told = words_of(await house.ask(f"start {house.free()}", "vera"))
    assert "needs the role operator; you are viewer" in told
    assert "CHARGEHAND_OPERATORS" in told
    charger = await house.ask(f"charger {house.free()}", "vera")
    offered = [one for block in charger.blocks if block["type"] == "actions" for one in block["elements"]]
    assert [one["text"]["text"] for one in offered] == ["Uptime as a picture"]  # which only looks


async def test_a_mention_is_answered_in_its_thread_for_all(either_house: House) -> None:
    house = either_house
    asked = await house.workspace.mention("vera", "#ev-ops", "status")
    channel = house.workspace.channel("#ev-ops")
    thread = await house.wait_for(lambda: t if len(t := channel.thread(asked.ts)) > 1 else None)
    assert "connectors" in thread[1].plain()


async def test_a_mention_that_slack_tells_twice_is_answered_once(house: House) -> None:
    asked = await house.workspace.mention("vera", "#ev-ops", "help")
    channel = house.workspace.channel("#ev-ops")
    await house.wait_for(lambda: len(channel.thread(asked.ts)) == 2)
    again = house.workspace.link.deliver_event(house.workspace.deliveries[-1].payload)
    await house.wait_for(lambda: again.acknowledged)
    other = await house.workspace.mention("vera", "#ev-ops", "help")
    await house.wait_for(lambda: len(channel.thread(other.ts)) == 2)
    assert len(channel.thread(asked.ts)) == 2


async def test_a_preview_by_mention_is_shown_to_that_person_alone(house: House) -> None:
    asked = await house.workspace.mention("ole", "#ev-ops", f"start {house.free()}")
    preview = await house.next_whisper("ole", 0)
    assert preview.thread_ts == asked.ts
    assert "Nothing is sent before you confirm" in preview.plain()
    assert len(house.workspace.channel("#ev-ops").thread(asked.ts)) == 1


async def test_before_the_first_answer_of_eosvolt_it_says_that_nothing_is_known(closed_house: House) -> None:
    closed_house.api.faults.answers_503 = 1_000
    await closed_house.start(polled=False)
    told = words_of(await closed_house.ask("status"))
    assert "EOSVOLT has not answered yet" in told
    assert "What you can say" in words_of(await closed_house.ask("help"))


async def test_old_data_is_said_to_be_old(house: House) -> None:
    assert "EOSVOLT has not answered since" not in words_of(await house.ask("status"))
    house.api.faults.answers_503 = 1_000
    house.clock.ahead += house.running.jobs.plan.interval * 10
    told = words_of(await house.ask("status"))
    assert re.search(r"As of <!date\^\d+\^[^>]+>; EOSVOLT has not answered since\.", told)


async def test_the_home_tab_shows_the_fleet_at_a_glance(either_house: House) -> None:
    house = either_house
    await house.workspace.open_home("vera")
    home = await house.wait_for(lambda: house.workspace.home("vera"))
    told = str(home.blocks)
    assert "The fleet at a glance" in told
    assert f"{len(house.fleet.connectors)} connectors" in told
    assert "you are *viewer*" in told


async def test_a_fault_of_ours_is_told_to_the_person(house: House) -> None:
    with house.running.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE location RENAME TO elsewhere")
    assert "Chargehand has a fault" in words_of(await house.ask("locations"))
