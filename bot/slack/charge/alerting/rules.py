"""`/charge rules ...`: the list, one rule, its history, a backtest, recipes; and changes, shown before they are done.

A change is tried out by the one evaluator and taken back, so that what it does to open alerts is told before somebody
confirms it. Nothing here puts a rule in force: `bot.slack.listeners.rule_buttons` does, at the click.
"""

from collections.abc import Callable
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from bot.slack.charge.answer import (
    PAGE,
    Answer,
    Asked,
    Mode,
    Word,
    button,
    form_button,
    paging,
    refused,
    told,
    words_button,
)
from bot.slack.charge.things_by_id import no_rule
from bot.slack.charge.times import read_length
from bot.slack.permissions import Role
from bot.trials.rehearsal import backtest_rules
from notify.text.action_ids import ActionId
from rules.documents.document import Rule, rule_from_document
from rules.documents.typed_text import read_typed
from rules.documents.yaml_text import to_yaml
from rules.language.errors import RuleErrors
from rules.language.fields import nearest
from rules.registry.authoring import Act, NoSuchRule, RuleRefused, find_rule
from rules.registry.drafts import Confirmed, Draft, draft_rule
from rules.registry.listing import history_of, library, list_rules
from rules.registry.store import FROM_SLACK
from rules.trials.backtest import CannotBacktest
from storage.engine import Database
from storage.queries.rows import Page
from storage.queries.state import data_age
from storage.schema import RULE

TYPED = "what you typed"
SHOWN_VERSIONS = 15
FROM_LIBRARY = "library/"
BACKTESTED = timedelta(days=7)
LONGEST_BACKTEST = timedelta(days=400)
ADD_EXAMPLES = (
    '/charge rules add name: hot; for_each: connector; when: connector.status == "Faulted"; for: 10m',
    "/charge rules add library/connector-faulted",
)


def answer_rules(connection: Connection, asked: Asked) -> Answer:
    """The rules, in pages; a word after it that is none gets the nearest."""
    if asked.words:
        near = nearest(asked.words[0], [word.word.split()[-1] for word in WORDS])
        examples = [f"/charge rules {near}"] if near else ["/charge rules", "/charge rules library", "/charge help"]
        return refused("`rules` cannot", about=asked.words[0], mend="What it can:", examples=examples)
    lines = list_rules(connection)
    page = Page(tuple(lines[asked.offset : asked.offset + PAGE]), asked.offset, len(lines))
    shows = [words_button(line.name, f"rules show {line.name}", n) for n, line in enumerate(page.rows, 1)]
    new = [form_button("New rule…", "rule", 1)] if asked.role >= Role.ADMIN else []
    buttons = [*shows, *new, *paging(page, "rules")]
    return told("answer_rules", buttons=buttons, page=page, examples=ADD_EXAMPLES)


def answer_show(connection: Connection, asked: Asked) -> Answer:
    """One rule as a document, and how it stands."""
    return _of_rule(connection, asked, "show", _show)


def _show(connection: Connection, asked: Asked, name: str) -> Answer:
    row = find_rule(connection, name)
    (line,) = list_rules(connection, name)
    buttons = [
        words_button("Open alerts", f"alerts rule={name}", 1),
        words_button("History", f"rules history {name}", 2),
    ]
    if line.kind != "digest":
        buttons.append(words_button("Backtest 7 days", f"rules backtest {name} 7d", 3))
    if asked.role >= Role.ADMIN and line.file is None:
        to = "off" if line.enabled else "on"
        buttons.append(words_button(f"Switch {to}", f"rules {to} {name}", 4))
        buttons.append(words_button("Delete", f"rules delete {name}", 5))
        buttons.append(form_button("Edit…", "rule_edit", 6, rule=name))
    return told("answer_rule", buttons=buttons, preformatted=to_yaml(row.document), line=line)


def answer_add(connection: Connection, asked: Asked) -> Answer:
    """Show what a new rule would do, and ask."""
    if not asked.text:
        return refused(
            "`rules add` needs the rule",
            buttons=[form_button("New rule…", "rule")],
            mend="For example:",
            examples=ADD_EXAMPLES,
        )
    try:
        rule = _recipe(asked.text) if asked.text.startswith(FROM_LIBRARY) else read_typed(asked.text, TYPED)
        row = connection.execute(sa.select(RULE.c.version, RULE.c.removed_at).where(RULE.c.id == rule.name)).first()
        base = row.version if row is not None and row.removed_at is not None else 0
        return _preview(connection, asked, Draft(Act.CREATE, rule.name, base, rule))
    except (RuleRefused, RuleErrors) as wrong:
        return refusal(wrong)


def answer_edit(connection: Connection, asked: Asked) -> Answer:
    """Show what a changed rule would do to the alerts that are open, and ask."""
    name, _, text = asked.text.partition(" " if " " in asked.text.partition("\n")[0] else "\n")
    if not text.strip():
        examples = ["/charge rules edit hot for: 20m; severity: critical", "/charge rules"]
        return refused("`rules edit` needs a rule's name and what to change", mend="For example:", examples=examples)
    try:
        row = find_rule(connection, name)
        _check_from_slack(row.source, name)
        rule = read_typed(text, TYPED, before=row.document)
        _check_name(rule.name, name)
        return _preview(connection, asked, Draft(Act.CHANGE, name, row.version, rule))
    except (RuleRefused, RuleErrors) as wrong:
        return refusal(wrong)


def answer_on(connection: Connection, asked: Asked) -> Answer:
    """Show what switching a rule on would do, and ask."""
    return _of_rule(connection, asked, "on", lambda inside, who, name: _plain(inside, who, name, Act.SWITCH_ON))


def answer_off(connection: Connection, asked: Asked) -> Answer:
    """Show what switching a rule off would do, and ask."""
    return _of_rule(connection, asked, "off", lambda inside, who, name: _plain(inside, who, name, Act.SWITCH_OFF))


def answer_delete(connection: Connection, asked: Asked) -> Answer:
    """Show what deleting a rule would do, and ask."""
    return _of_rule(connection, asked, "delete", lambda inside, who, name: _plain(inside, who, name, Act.DELETE))


def answer_history(connection: Connection, asked: Asked) -> Answer:
    """Who changed a rule, when, and what; of a deleted one too."""
    name = " ".join(asked.words)
    versions = history_of(connection, name, SHOWN_VERSIONS) if name else []
    if not versions:
        return _of_rule(connection, asked, "history", _show)
    return told("answer_rule_history", name=name, versions=versions, shown=SHOWN_VERSIONS)


def answer_backtest(connection: Connection, asked: Asked) -> Answer:
    """Say that a backtest runs; what it finds comes later."""
    return _of_rule(connection, asked, "backtest", _backtest, more=True)


def answer_library(connection: Connection, asked: Asked) -> Answer:
    """The recipes, in pages, with buttons to add those that are not in force."""
    taken = {line.name for line in list_rules(connection)}
    recipes = [(rule, name in taken) for name, rule in sorted(library().items())]
    page = Page(tuple(recipes[asked.offset : asked.offset + PAGE]), asked.offset, len(recipes))
    adds = [
        words_button(f"Add {rule.name}", f"rules add {FROM_LIBRARY}{rule.name}", n)
        for n, (rule, there) in enumerate(page.rows, 1)
        if not there
    ]
    buttons = [*(adds if asked.role >= Role.ADMIN else ()), *paging(page, "rules library")]
    return told("answer_library", buttons=buttons, page=page)


def refusal(wrong: RuleRefused | RuleErrors) -> Answer:
    """Why a rule cannot be so: every error with its caret, or one sentence and the person it is about."""
    if isinstance(wrong, RuleErrors):
        return refused(
            "This rule cannot be understood",
            preformatted=str(wrong),
            mend="Mend it and send it again; docs/rules-reference.md has every field. A rule is for example:",
            examples=ADD_EXAMPLES[:1],
        )
    if isinstance(wrong, NoSuchRule):
        return no_rule(wrong)
    return told("answer_rule_refused", plain=[str(wrong)], who=wrong.who)


def confirmed(done: Confirmed, user: str) -> Answer:
    """What a confirmation did."""
    shows = done.draft.act is not Act.DELETE
    buttons = [words_button("Show it", f"rules show {done.rule.name}")] if shows else []
    return told("answer_rule_done", buttons=buttons, draft=done.draft, outcome=done.outcome, user=user)


def _of_rule(
    connection: Connection,
    asked: Asked,
    verb: str,
    answer: Callable[[Connection, Asked, str], Answer],
    *,
    more: bool = False,
) -> Answer:
    """The answer about the rule that is named; without `more` a name is all that may stand there."""
    name = asked.words[0] if more and asked.words else " ".join(asked.words)
    if not name:
        told_ = f"`rules {verb}` needs the name of a rule"
        return refused(told_, mend="See which there are:", examples=["/charge rules"])
    try:
        return answer(connection, asked, name)
    except (RuleRefused, RuleErrors) as wrong:
        return refusal(wrong)


def _plain(connection: Connection, asked: Asked, name: str, act: Act) -> Answer:
    row = find_rule(connection, name)
    return _preview(connection, asked, Draft(act, name, row.version), rule_from_document(row.document, row.source))


def _preview(connection: Connection, asked: Asked, draft: Draft, shown: Rule | None = None) -> Answer:
    draft_id, outcome = draft_rule(connection, draft, asked.user, asked.now, asked.zone)
    value = {"draft": draft_id, "version": draft.base_version}
    style = "danger" if draft.act in {Act.DELETE, Act.SWITCH_OFF} else "primary"
    buttons = [
        button("Confirm", ActionId.CONFIRM_RULE, value, style=style),
        button("Cancel", ActionId.CANCEL_COMMAND, {"verb": "rules"}),
    ]
    rule = draft.rule or shown
    text = to_yaml(rule.document) if rule is not None else ""
    kind = rule.kind if rule is not None else "alert"
    return told(
        "answer_rule_preview",
        buttons=buttons,
        preformatted=text,
        draft=draft,
        outcome=outcome,
        kind=kind,
        stale=_stale(connection, asked),
    )


def _stale(connection: Connection, asked: Asked) -> bool:
    return data_age(connection, "chargers", asked.now, asked.interval).stale


def _recipe(text: str) -> Rule:
    """The recipe that `library/NAME` names, with what stands behind it changed."""
    name, _, rest = text.removeprefix(FROM_LIBRARY).partition(" ")
    recipe = library().get(name)
    if recipe is None:
        near = nearest(name, tuple(library()))
        hint = f"; did you mean {FROM_LIBRARY}{near}?" if near else ". `/charge rules library` lists what there is."
        raise RuleRefused(f'There is no recipe "{name[:80]}"{hint}')
    return read_typed(rest, TYPED, before=recipe.document) if rest.strip() else recipe


def _check_name(said: str, name: str) -> None:
    if said != name:
        raise RuleRefused(f'A rule is known by its name: "{name}" cannot become "{said}". Add that as a new rule.')


def _check_from_slack(source: str, name: str) -> None:
    if source != FROM_SLACK:
        raise RuleRefused(f'Rule "{name}" stands in {source} and can only be changed there, not from Slack.')


def _backtest(connection: Connection, asked: Asked, name: str) -> Answer:
    row = find_rule(connection, name)
    rule = rule_from_document(row.document, row.source)
    words = [word for word in asked.words[1:] if word.lower() not in {"over", "for", "last", "the"}]
    said = " ".join(words)
    length, used = read_length(words)
    days = (length if used == len(words) else None) or timedelta() if words else BACKTESTED
    if not timedelta() < days <= LONGEST_BACKTEST:
        return refused(
            "A backtest goes back for example 7d, 400 days at most, and not",
            about=said[:60],
            mend="For example:",
            examples=[f"/charge rules backtest {name} 7d"],
        )

    return told(
        "answer_backtesting", name=name, span=days, later=lambda database: backtested(database, asked, rule, days)
    )


def backtested(database: Database, asked: Asked, rule: Rule, days: timedelta = BACKTESTED) -> Answer:
    """How often a rule, in force or not, would have fired in what history there is."""
    try:
        (found,) = backtest_rules(database, [rule], days=days, interval=asked.interval, default_zone=asked.zone)
        if isinstance(found, CannotBacktest):
            raise found
    except CannotBacktest as wrong:
        return refused("There is no backtest of it", reasons=[str(wrong)], mend="See:", examples=["/charge rules"])
    return told("answer_backtest", found=found, span=days)


def _admin(word: str, usage: str, does: str, example: str, answer: Callable[[Connection, Asked], Answer]) -> Word:
    return Word(word, usage, does, example, answer, needs=Role.ADMIN, mode=Mode.REHEARSES)


WORDS = (
    Word("rules", "rules", "the rules, on or off, with what fires of each", "rules", answer_rules),
    Word("rules show", "rules show NAME", "one rule as YAML", "rules show {rule}", answer_show),
    _admin(
        "rules add",
        "rules add TEXT|library/NAME",
        "a new rule, in YAML or on one line; shows what it would do first",
        "rules add library/zero-energy",
        answer_add,
    ),
    _admin(
        "rules edit",
        "rules edit NAME KEY: VALUE; ...",
        "change a rule; shows what happens to its open alerts first",
        "rules edit {made_rule} for: 20m",
        answer_edit,
    ),
    _admin("rules on", "rules on NAME", "switch a rule on", "rules on {made_rule}", answer_on),
    _admin("rules off", "rules off NAME", "switch a rule off; its alerts end", "rules off {made_rule}", answer_off),
    _admin(
        "rules delete", "rules delete NAME", "delete a rule; its alerts end", "rules delete {made_rule}", answer_delete
    ),
    Word(
        "rules history",
        "rules history NAME",
        "who changed a rule, when and what",
        "rules history {rule}",
        answer_history,
    ),
    Word(
        "rules backtest",
        "rules backtest NAME [7d]",
        "how often a rule would have fired",
        "rules backtest {alert_rule} 7d",
        answer_backtest,
    ),
    Word("rules library", "rules library", "ready rules to add", "rules library", answer_library),
)
