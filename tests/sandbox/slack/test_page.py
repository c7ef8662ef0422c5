"""The page, looked at in headless Chromium: what people see of the workspace and what they do there."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, Page, Route, expect
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack import Lever, Shortcut, SlackServer, SlackWorkspace
from sandbox.slack.server.page import with_mentions
from tests.sandbox.slack.app import CARD, MODAL, Heard, in_socket_mode
from tests.sandbox.slack.browser import launched, open_page

ALERTS = "C0ALERTS01"
# One black pixel.
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")
HOSTILE = [
    "<!channel>",
    "`code` ```pre``` *bold* _it_ ~no~",
    "<script>window.hacked = true</script>",
    '"><img src=x onerror="window.hacked = true">',
    "n" * 300,
    "\u202eright to left שלום \u2066x",
    "<https://evil.example|click me>",
    "javascript:alert(1)",
]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop for the module, so that its tests share one browser."""
    return "asyncio"


@pytest.fixture(scope="module")
async def browser(anyio_backend: str) -> AsyncIterator[Browser]:
    async with launched() as running:
        yield running


@pytest.fixture
async def page(server: SlackServer, browser: Browser) -> AsyncIterator[Page]:
    async with open_page(browser, f"{server.url}/#{ALERTS}") as opened:
        await expect(opened.locator("#title")).to_have_text("# ev-alerts")
        yield opened


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


async def type_in(page: Page, text: str) -> None:
    await page.fill("#text", text)
    await page.press("#text", "Enter")


async def test_a_slash_command_is_typed_and_its_answer_seen_by_one_alone(
    page: Page, workspace: SlackWorkspace, socket_app: Heard
) -> None:
    await type_in(page, "/charge status")
    answer = page.locator("#messages .ephemeral")
    await expect(answer).to_contain_text("All is well")
    await expect(answer).to_contain_text("Only visible to you")
    await page.select_option("#user", label="Vera Lind (@vera)")
    await expect(answer).to_have_count(0)
    await page.select_option("#user", label="Ada Holm (@ada)")
    await answer.get_by_role("button", name="Dismiss").click()
    await expect(answer).to_have_count(0)
    assert workspace.ephemerals("ada") == []


async def test_a_button_edits_its_card_before_one_s_eyes(
    page: Page, workspace: SlackWorkspace, socket_app: Heard
) -> None:
    await type_in(page, "/charge card")
    card = page.locator("#messages .message", has_text="242.2.1")
    await expect(card.locator("strong", has_text="242.2.1")).to_be_visible()
    await card.get_by_role("button", name="Acknowledge").click()
    edited = page.locator("#messages .message", has_text="Acknowledged by ada")
    await expect(edited.locator(".edited")).to_have_text("(edited)")
    await expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)


async def test_a_modal_opens_shows_errors_keeps_what_was_typed_and_closes(
    page: Page, workspace: SlackWorkspace, socket_app: Heard
) -> None:
    await type_in(page, "/charge card")
    await page.get_by_role("button", name="Add a note").click()
    modal = page.locator("#modal")
    await expect(modal.get_by_role("heading", name="Add a note")).to_be_visible()
    await modal.get_by_role("button", name="Save").click()
    await expect(modal.locator(".error").first).to_have_text("Please complete this required field.")
    await modal.get_by_label("Note").fill("bad")
    await modal.get_by_label("Severity").select_option("critical")
    await modal.get_by_role("button", name="Save").click()
    await expect(modal.locator(".error").first).to_have_text("Say something kind")
    await expect(modal.get_by_label("Note")).to_have_value("bad")
    await modal.get_by_label("Note").fill("fine")
    await modal.get_by_role("button", name="Save").click()
    await expect(modal).to_be_hidden()
    sent = socket_app.of("view_submission")[-1]["view"]["state"]["values"]
    assert sent["words"]["words"]["value"] == "fine"
    assert sent["severity"]["severity"]["selected_option"]["value"] == "critical"


async def test_an_updated_modal_is_shown_and_cancel_closes_it(
    page: Page, workspace: SlackWorkspace, socket_app: Heard
) -> None:
    await type_in(page, "/charge card")
    await page.get_by_role("button", name="Add a note").click()
    modal = page.locator("#modal")
    await modal.get_by_label("Note").fill("more")
    await modal.get_by_role("button", name="Save").click()
    await expect(modal.get_by_role("heading")).to_have_text("More")
    await modal.get_by_role("button", name="Cancel").click()
    await expect(modal).to_be_hidden()
    await workspace.wait_for(lambda: socket_app.of("view_closed"))


async def test_a_click_in_a_modal_tells_what_is_typed_there(
    page: Page, workspace: SlackWorkspace, client: AsyncWebClient, socket_app: Heard
) -> None:
    button = {"type": "button", "action_id": "note", "text": {"type": "plain_text", "text": "Count matches"}}
    view = {**MODAL, "blocks": [*MODAL["blocks"], {"type": "actions", "elements": [button]}]}
    await client.views_open(trigger_id=workspace.new_trigger("U0ADA00001"), view=view)
    modal = page.locator("#modal")
    await modal.get_by_label("Note").fill("half a sentence")
    await modal.get_by_role("button", name="Count matches").click()
    sent = await workspace.wait_for(lambda: socket_app.of("block_actions"))
    assert sent[0]["view"]["state"]["values"]["words"]["words"]["value"] == "half a sentence"


async def test_a_thread_is_read_and_answered(page: Page, workspace: SlackWorkspace, client: AsyncWebClient) -> None:
    root = (await client.chat_postMessage(channel=ALERTS, text="the card"))["ts"]
    await client.chat_postMessage(channel=ALERTS, text="quiet reply", thread_ts=root)
    await client.chat_postMessage(channel=ALERTS, text="loud reply", thread_ts=root, reply_broadcast=True)
    await expect(page.locator("#messages .message")).to_have_count(2)
    await expect(page.locator("#messages")).to_contain_text("replied to a thread")
    await page.get_by_role("button", name="2 replies").click()
    await expect(page.locator("#replies .message")).to_have_count(3)
    await page.fill("#reply", "I see to it")
    await page.press("#reply", "Enter")
    await expect(page.locator("#replies .message")).to_have_count(4)
    assert workspace.channel(ALERTS).messages[-1].thread_ts == root


async def test_a_mention_is_typed_by_name(page: Page, workspace: SlackWorkspace, socket_app: Heard) -> None:
    await type_in(page, "@chargehand what about <b> & #ev-ops?")
    await expect(page.get_by_role("button", name="1 reply")).to_be_visible()
    asked = workspace.channel(ALERTS).messages[0]
    assert asked.text == "<@U0CHARGE01> what about &lt;b&gt; &amp; <#C0OPS00003>?"
    await expect(page.locator("#messages .mention").first).to_have_text("@chargehand")


def test_a_mention_is_meant_in_any_case_and_of_the_whole_name() -> None:
    workspace = SlackWorkspace()
    bot, ada = workspace.team.bot_user, workspace.user("ada").id
    typed = "please @Chargehand, ask @ADA and @adam"
    assert with_mentions(workspace, typed) == f"please <@{bot}>, ask <@{ada}> and @adam"


async def test_the_home_tab_is_shown(page: Page, workspace: SlackWorkspace, socket_app: Heard) -> None:
    await page.get_by_role("button", name="Home").click()
    await expect(page.locator(".home h3")).to_have_text("The fleet at a glance")
    assert workspace.home("ada") is not None


async def test_a_shortcut_is_chosen_in_a_message_s_menu_and_an_attachment_has_its_bar(
    page: Page, workspace: SlackWorkspace, client: AsyncWebClient, socket_app: Heard
) -> None:
    workspace.shortcuts = (Shortcut("note_this", "Note this"),)
    small = {"type": "context", "elements": [{"type": "mrkdwn", "text": "*Acknowledged*"}]}
    bars = [{"color": "danger", "blocks": CARD}, {"color": "#CC79A7", "blocks": [small]}]
    await client.chat_postMessage(channel=ALERTS, text="Faulted", attachments=bars)
    card = page.locator("#messages .message", has_text="242.2.1")
    await expect(card.locator(".attachment").first).to_have_css("border-left-color", "rgb(224, 30, 90)")
    await expect(card.locator(".attachment").last).to_have_css("border-left-color", "rgb(204, 121, 167)")
    await expect(card.locator(".attachment").last).to_have_text("Acknowledged")
    await card.hover()
    await card.get_by_label("Shortcuts of this message").select_option(label="Note this")
    await expect(page.locator("#modal").get_by_role("heading")).to_have_text("Add a note")
    assert socket_app.of("message_action")[0]["message"]["attachments"][0]["color"] == "danger"


async def test_focus_stays_on_a_button_whose_card_is_edited(
    page: Page, client: AsyncWebClient, socket_app: Heard
) -> None:
    sent = await client.chat_postMessage(channel=ALERTS, text="Faulted", blocks=CARD)
    button = page.get_by_role("button", name="Acknowledge")
    await button.focus()
    await client.chat_update(channel=ALERTS, ts=str(sent["ts"]), text="Faulted", blocks=[*CARD, {"type": "divider"}])
    await expect(page.locator("#messages .message hr")).to_be_visible()
    await expect(button).to_be_focused()
    await expect(page.locator("#messages .edited")).to_have_count(0)  # Slack marks no message of blocks as edited


async def test_what_is_typed_while_the_server_is_away_is_kept_and_says_so(page: Page) -> None:
    await page.evaluate("void (window.fetch = () => Promise.reject(new TypeError('away')))")
    await page.fill("#text", "/charge status")
    await page.press("#text", "Enter")
    await expect(page.locator("#toasts")).to_contain_text("what you typed is kept")
    await expect(page.locator("#text")).to_have_value("/charge status")


async def test_a_command_typed_while_the_app_is_away_is_kept_and_acts_once_it_is_sent_again(
    page: Page, workspace: SlackWorkspace, server: SlackServer
) -> None:
    await expect(page.locator("#link")).to_contain_text("not connected")
    await type_in(page, "/charge status")
    await expect(page.locator("#toasts")).to_contain_text("The app is not there; what you typed is kept")
    await expect(page.locator("#text")).to_have_value("/charge status")
    await page.reload()
    await expect(page.locator("#text")).to_have_value("/charge status")
    async with in_socket_mode(server) as heard:
        await expect(page.locator("#link")).to_contain_text("is connected")
        await page.press("#text", "Enter")
        await expect(page.locator("#messages .ephemeral", has_text="All is well")).to_be_visible()
        await expect(page.locator("#text")).to_have_value("")
        assert [body["text"] for body in heard.bodies if body.get("command")] == ["status"]
    await page.reload()
    await expect(page.locator("#text")).to_have_value("")


async def test_what_is_typed_on_while_nobody_answers_is_kept_with_it(page: Page) -> None:
    late = (
        "void (window.fetch = () => new Promise((_, fail) => { window.give_up = () => fail(new TypeError('away')); }))"
    )
    await page.evaluate(late)
    await type_in(page, "/charge status")
    await page.fill("#text", "/charge alerts")
    await page.evaluate("window.give_up()")
    await expect(page.locator("#text")).to_have_value("/charge status\n/charge alerts")


async def test_a_message_to_the_app_that_is_away_stands_and_says_so(page: Page, workspace: SlackWorkspace) -> None:
    await type_in(page, "for people alone")
    await expect(page.locator("#messages .message", has_text="for people alone")).to_be_visible()
    await type_in(page, "@chargehand status")
    await expect(page.locator("#toasts")).to_have_text(
        "The app is not there. Your message stands, and is told to the app for five minutes yet."
    )
    assert [message.text for message in workspace.channel(ALERTS).messages][1] == "<@U0CHARGE01> status"
    await expect(page.locator("#text")).to_have_value("")
    told = [delivery.payload["event"]["type"] for delivery in workspace.link.deliveries]
    assert told == ["app_mention"], "what is tried again, and the first message speaks to nobody but people"


async def test_a_confirmation_is_asked_for_before_a_click_is_sent(
    page: Page, workspace: SlackWorkspace, client: AsyncWebClient, socket_app: Heard
) -> None:
    words = {k: {"type": "plain_text", "text": v} for k, v in [("title", "Sure?"), ("confirm", "Yes"), ("deny", "No")]}
    confirm = {**words, "text": {"type": "mrkdwn", "text": "It *stops*."}}
    button = {"type": "button", "action_id": "acknowledge", "text": words["confirm"], "confirm": confirm}
    button = {**button, "text": {"type": "plain_text", "text": "Stop"}}
    await client.chat_postMessage(channel=ALERTS, text="x", blocks=[{"type": "actions", "elements": [button]}])
    await page.get_by_role("button", name="Stop").click()
    await page.locator("#confirm").get_by_role("button", name="No").click()
    assert socket_app.of("block_actions") == []
    await page.get_by_role("button", name="Stop").click()
    await page.locator("#confirm").get_by_role("button", name="Yes").click()
    await workspace.wait_for(lambda: socket_app.of("block_actions"))


async def test_menus_and_pickers_in_a_message_send_their_choice(
    page: Page, workspace: SlackWorkspace, client: AsyncWebClient, socket_app: Heard
) -> None:
    option = {"text": {"type": "plain_text", "text": "One hour"}, "value": "1h"}
    elements = [
        {"type": "static_select", "action_id": "acknowledge", "options": [option]},
        {"type": "overflow", "action_id": "more", "options": [option]},
    ]
    await client.chat_postMessage(channel=ALERTS, text="x", blocks=[{"type": "actions", "elements": elements}])
    await page.locator("[data-action=acknowledge]").select_option("1h")
    sent = await workspace.wait_for(lambda: socket_app.of("block_actions"))
    assert sent[0]["actions"][0]["selected_option"]["value"] == "1h"


async def test_hostile_words_are_shown_as_words(page: Page, workspace: SlackWorkspace, client: AsyncWebClient) -> None:
    for words in HOSTILE:
        blocks: list[dict[str, Any]] = [
            {"type": "header", "text": {"type": "plain_text", "text": words[:150]}},
            {"type": "section", "text": {"type": "mrkdwn", "text": escaped(words)}},
            {"type": "section", "fields": [{"type": "plain_text", "text": words}]},
            {"type": "context", "elements": [{"type": "plain_text", "text": words}]},
            {"type": "image", "image_url": "https://example.com/a.png", "alt_text": words},
            {
                "type": "actions",
                "elements": [{"type": "button", "action_id": "b", "text": {"type": "plain_text", "text": words[:75]}}],
            },
        ]
        await client.chat_postMessage(channel=ALERTS, text=escaped(words), blocks=blocks)
    await expect(page.locator("#messages .message")).to_have_count(len(HOSTILE))
    shown = page.locator("#messages .message")
    for index, words in enumerate(HOSTILE):
        assert await shown.nth(index).locator(".plain").first.text_content() == words
    assert await page.evaluate("window.hacked") is None
    assert await page.locator("#messages script, #messages img").count() == 0
    assert await page.locator("#messages .mention.loud").count() == 0
    assert await page.locator("#messages a").count() == 0
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_mrkdwn_looks_as_in_slack(page: Page, client: AsyncWebClient) -> None:
    text = (
        "*bold* _it_ ~old~ `a *b* &lt;c&gt;` <https://example.com/?a=1&amp;b=2|manual> <@U0OLE00002> <#C0OPS00003> "
        "<!subteam^S0ONCALL01> <!here> <!date^1767225600^{date_num}|never> snake_case_name 2*3*4\n"
        "&gt; quoted\n```x\ny```"
    )
    await client.chat_postMessage(channel=ALERTS, text=text)
    message = page.locator("#messages .mrkdwn")
    await expect(message.locator("strong")).to_have_text("bold")
    await expect(message.locator("em")).to_have_text("it")
    await expect(message.locator("s")).to_have_text("old")
    await expect(message.locator("code")).to_have_text("a *b* <c>")
    await expect(message.locator("a")).to_have_attribute("href", "https://example.com/?a=1&b=2")
    await expect(message.locator(".mention")).to_have_text(["@ole", "#ev-ops", "@oncall", "@here"])
    await expect(message.locator("time")).to_have_attribute("datetime", "2026-01-01T00:00:00.000Z")
    await expect(message.locator("blockquote")).to_have_text("quoted")
    await expect(message.locator("pre")).to_have_text("x\ny")
    await expect(message).to_contain_text("snake_case_name 2*3*4")
    await client.chat_postMessage(channel=ALERTS, text="*`hot *x*` on `c1`:* \ue0000\ue001")
    heading = page.locator("#messages .mrkdwn").last
    await expect(heading.locator("strong")).to_have_text("hot *x* on c1:")
    await expect(heading.locator("strong code")).to_have_text(["hot *x*", "c1"])


async def test_an_uploaded_chart_is_shown_with_its_words(page: Page, client: AsyncWebClient) -> None:
    uploaded = await client.files_upload_v2(filename="uptime.png", content=PNG, title="Uptime")
    chart = {"type": "image", "alt_text": "Uptime 99 %", "slack_file": {"id": uploaded["files"][0]["id"]}}
    await client.chat_postMessage(channel=ALERTS, text="x", blocks=[chart])
    image = page.get_by_alt_text("Uptime 99 %")
    await expect(image).to_have_js_property("naturalWidth", 1)


async def test_a_permalink_leads_to_the_page(server: SlackServer, client: AsyncWebClient, browser: Browser) -> None:
    ts = (await client.chat_postMessage(channel="#ev-daily", text="digest"))["ts"]
    link = (await client.chat_getPermalink(channel="C0DAILY002", message_ts=ts))["permalink"]
    async with open_page(browser, link) as page:
        await expect(page.locator("#title")).to_have_text("# ev-daily")


async def test_the_page_answers_no_other_host_and_no_form(server: SlackServer) -> None:
    async with httpx.AsyncClient(base_url=server.url) as client:
        assert (await client.get("/")).status_code == 200
        assert (await client.get("/page/state", headers={"Host": "evil.example"})).status_code == 403
        form = await client.post("/page/act", data={"verb": "slash"})
        assert form.status_code == 415
        assert (await client.get("/../workspace.py")).status_code == 404


async def test_a_lever_of_the_panel_is_pulled_and_tells_what_it_did(
    workspace: SlackWorkspace, browser: Browser
) -> None:
    pulled: list[str] = []
    choices = [("c1", "c1 (Available)"), ("c2", "c2 (Charging)")]
    levers = [
        Lever("break", "Break it", lambda one: pulled.append(one) or f"{one} is broken.", lambda: choices),  # type: ignore[func-returns-value]  # that of a list
        Lever("cut", "Cut it off", lambda _: "It is cut off."),
    ]
    async with SlackServer(workspace, levers=levers) as server, open_page(browser, f"{server.url}/#{ALERTS}") as page:
        await page.locator("#panel summary").click()
        await page.get_by_label("Break it").select_option("c2")
        await page.get_by_role("button", name="Break it").click()
        await expect(page.locator("#toasts")).to_contain_text("c2 is broken.")
        await page.get_by_role("button", name="Cut it off").click()
        await expect(page.locator("#toasts")).to_contain_text("It is cut off.")
    assert pulled == ["c2"]


async def test_what_is_chosen_while_the_panel_is_drawn_anew_stays_chosen(
    workspace: SlackWorkspace, browser: Browser
) -> None:
    choices = [("c1", "c1 (Available)"), ("c2", "c2 (Charging)")]
    levers = [Lever("break", "Break it", lambda one: f"{one} is broken.", lambda: choices)]
    asked: asyncio.Queue[Route] = asyncio.Queue()
    async with SlackServer(workspace, levers=levers) as server, open_page(browser, f"{server.url}/#{ALERTS}") as page:
        menu = page.get_by_label("Break it")
        await expect(menu.locator("option")).to_have_count(2)
        await page.route("**/page/panel", asked.put, times=1)
        await page.locator("#panel summary").click()
        drawn_anew = await asked.get()
        first = await menu.element_handle()
        await menu.select_option("c2")
        await drawn_anew.continue_()
        await page.wait_for_function("(menu) => !menu.isConnected", arg=first)
        await expect(menu).to_have_value("c2")
        await menu.select_option("c1")
        await page.get_by_role("button", name="Break it").click()
        await expect(page.locator("#toasts")).to_contain_text("c1 is broken.")


async def test_without_levers_there_is_no_panel(page: Page) -> None:
    await expect(page.locator("#panel")).to_be_hidden()
