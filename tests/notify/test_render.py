"""No kind of message is left out: each has its renderer, its words are used, and a test tries it with hostile names."""

import re

from eosvolt.models import PriceBlock, PricingReading
from notify import outbox
from notify.render import RENDERERS, TEMPLATES, render_words
from tests.conftest import ROOT

TRIED_WITH_HOSTILE_NAMES = {
    outbox.ACT: "test_no_name_breaks_what_is_told_of_an_act",
    outbox.HELLO: "test_the_hello_takes_any_channel_s_name",
    outbox.ALERT_CARD: "test_no_name_breaks_an_alert_message",
    outbox.ALERT_REPLY: "test_no_name_breaks_an_alert_message",
    outbox.ROLL_UP: "test_no_name_breaks_a_roll_up",
    outbox.COMMAND_CARD: "test_no_name_breaks_a_commands_card",
    outbox.DIGEST: "test_no_name_breaks_a_digest_or_a_notice",
    outbox.DIGEST_TABLES: "test_no_name_breaks_any_kind_and_it_fits_into_one_message",
    outbox.CARD_CHART: "test_no_name_breaks_the_chart_of_a_card",
    outbox.EVENT: "test_no_name_breaks_a_message",
    outbox.EVENTS: "test_no_name_breaks_a_list_of_events",
    outbox.QUIET_SUMMARY: "test_no_name_breaks_the_summary_of_quiet_hours",
    outbox.NOTICE: "test_no_name_breaks_a_digest_or_a_notice",
    outbox.COPY: "test_a_copy_says_where_the_message_is_kept_up_to_date",
    outbox.RETURNED: "test_no_name_breaks_the_line_of_a_return",
    outbox.TROUBLE: "test_every_trouble_has_its_words_also_with_hostile_ones",
}
"""By kind, the test that writes it with names that try to shout, to break out or to be too long."""


def test_every_kind_of_the_outbox_has_its_renderer() -> None:
    words = {name: value for name, value in vars(outbox).items() if name.isupper() and isinstance(value, str)}
    assert {*words.values()} - {*outbox.LEFT_OUT} == set(RENDERERS)


def test_every_kind_is_tried_with_hostile_names() -> None:
    assert set(TRIED_WITH_HOSTILE_NAMES) == set(RENDERERS)
    defined = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    assert set(TRIED_WITH_HOSTILE_NAMES.values()) <= defined


def code() -> str:
    return "\n".join(file.read_text() for folder in ("bot", "notify") for file in (ROOT / folder).rglob("*.py"))


def test_every_template_is_rendered_by_somebody() -> None:
    text = code() + "\n".join(file.read_text() for file in TEMPLATES.glob("*.j2"))
    names = {file.name: f'"{file.name.removesuffix(".mrkdwn.j2")}"' for file in TEMPLATES.glob("*.j2")}
    assert [file for file, name in names.items() if f'"{file}"' not in text and name not in text] == []


def test_every_template_that_is_named_is_there() -> None:
    named = set(re.findall(r'"(\w+\.mrkdwn\.j2)"', code()))
    named |= {f"{name}.mrkdwn.j2" for name in re.findall(r'told\(\s*"(\w+)"', code())}
    assert named - {file.name for file in TEMPLATES.glob("*.j2")} == set()


def test_what_is_left_out_of_a_list_is_told_in_the_singular_where_it_is_one() -> None:
    plurals = re.compile(r"\}\} more [a-z]+s\b")
    assert plurals.search("and {{ total - 8 }} more currencies")
    assert [file.name for file in TEMPLATES.glob("*.j2") if plurals.search(file.read_text())] == []
    hours = [PriceBlock(f"{n:02d}:00", f"{n:02d}:30", 0.5) for n in range(26)]
    for number, left in ((25, "and 1 more time of day"), (26, "and 2 more times of day")):
        pricing = PricingReading("l1", "kWh", 0.4, tuple(hours[:number]))
        words = render_words("answer_prices.mrkdwn.j2", pricing=pricing, location_id="l1", name="Here")
        assert left in words["body"].splitlines()
