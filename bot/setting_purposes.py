"""What each setting is for and where to get its value, for messages that name a missing one and for docs/settings.md.

It reads none of them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a setting is for, and where to get its value."""

    what: str
    where: str


PURPOSES = {
    "EOSVOLT_BASE_URL": Purpose(
        "the address of the EOSVOLT API",
        "https://api.eosvolt.com/ (production), https://api-staging.eosvolt.com/ (staging), "
        "or the address that `chargehand sandbox` prints",
    ),
    "EOSVOLT_TOKEN": Purpose(
        "the API token of your EOSVOLT account",
        "EOSVOLT's admin portal, or `sandbox-token` for `chargehand sandbox`; EOSVOLT_TOKEN_FILE may name a file "
        "that holds it",
    ),
    "SLACK_BOT_TOKEN": Purpose(
        "the bot's token (xoxb-...)",
        "api.slack.com/apps, your app, OAuth & Permissions, after installing the app that `chargehand manifest` "
        "describes",
    ),
    "SLACK_APP_TOKEN": Purpose(
        "the app-level token (xapp-...) for Socket Mode",
        "api.slack.com/apps, your app, Basic Information, App-Level Tokens, scope connections:write",
    ),
    "SLACK_SIGNING_SECRET": Purpose(
        "the secret that proves that a request comes from Slack, for HTTP mode",
        "api.slack.com/apps, your app, Basic Information, App Credentials",
    ),
    "PORT": Purpose("the port to listen on in HTTP mode and for health checks", "choose a free one, such as 3000"),
    "SLACK_API_URL": Purpose("the address of Slack's Web API", "leave it out: Slack's own is the default"),
    "DATABASE_URL": Purpose(
        "where state is kept",
        "sqlite:///chargehand.db, or postgresql://user@host/name (several: user@host1,host2/name)",
    ),
    "CHARGEHAND_RULES": Purpose("the rule files or folders, separated by commas", "for example rules/library"),
    "CHARGEHAND_TIMEZONE": Purpose("the time zone where a location names none", "an IANA name: Europe/Copenhagen"),
    "CHARGEHAND_POLL_INTERVAL": Purpose("the seconds between two polls", "60 suits most accounts"),
    "CHARGEHAND_ADMINS": Purpose(
        "who may change prices, rules and roles", "Slack user ids or user groups, separated by commas"
    ),
    "CHARGEHAND_OPERATORS": Purpose("who may act on chargers", "Slack user ids or user groups, separated by commas"),
    "CHARGEHAND_WORKSPACE_ADMINS": Purpose(
        "whether the workspace's own admins and owners are admins here too", "true, or false (the default)"
    ),
    "CHARGEHAND_OUTSIDERS_MAY_LOOK": Purpose(
        "whether guests, and people of other workspaces in shared channels, may read; they never act",
        "true, or false (the default)",
    ),
    "CHARGEHAND_ALERT_CHANNEL": Purpose("where a rule without `notify` speaks", "a channel, such as #ev-alerts"),
    "CHARGEHAND_CARD_BUDGET": Purpose(
        "how many new cards of one poll a channel takes; more become one roll-up that names the places", "a number"
    ),
    "CHARGEHAND_COMMANDS_PER_DAY": Purpose(
        "how many commands one charger takes in 24 hours (a stop is always possible)", "a number"
    ),
    "CHARGEHAND_AUTOMATIONS": Purpose(
        "whether the `actions` of rules are carried out, until somebody says `/charge automations`",
        "dry-run (the default: they are only told), on, or off",
    ),
    "CHARGEHAND_PRICE_APPROVAL_CHANNEL": Purpose(
        "where a second admin approves each change of prices, those of rules too; without it nobody has to",
        "a channel, such as #ev-prices",
    ),
    "CHARGEHAND_TWO_PEOPLE": Purpose(
        "what a second person must approve, who asked excepted: any of start, stop, reset, unlock, enable, disable, "
        "price, and `do NAME` of the account's own commands; `price` holds for rules too, which else ask where their "
        "own `approval` says",
        "words, separated by commas; it needs CHARGEHAND_APPROVAL_CHANNEL",
    ),
    "CHARGEHAND_APPROVAL_CHANNEL": Purpose(
        "where what CHARGEHAND_TWO_PEOPLE names is approved or refused",
        "a channel with those who may, such as #ev-ops",
    ),
    "CHARGEHAND_ALLOW_HTTP": Purpose(
        "whether an address may begin with http:// though it is not on this machine, so that others may read tokens",
        "true, for a network of your own; false is the default",
    ),
    "CHARGEHAND_CONTRACT": Purpose(
        "an override of eosvolt/contract.toml, for an account whose API differs", "`chargehand doctor` says what to put"
    ),
    "CHARGEHAND_CODES": Purpose(
        "a YAML file that says your chargers' own error codes in words: each code with a text, or with `name`, "
        "`meaning`, `cause` and `mends`",
        "the manuals of your chargers; the codes of OCPP and ChargeX are known",
    ),
    "CHARGEHAND_CONSOLE_URL": Purpose(
        "where a card's *Open in EOSVOLT* leads: an address in which {location}, {charger} and {connector} stand for "
        "the ids; without it the card has no such entry",
        "open a charger in EOSVOLT's web console and copy the address, its id replaced by {charger}",
    ),
    "CHARGEHAND_ID_TAG_KEY": Purpose(
        "the key of the hashes that id tags are stored as; without it they are not stored", "any long random text"
    ),
    "CHARGEHAND_PLAIN_ID_TAGS": Purpose("store id tags as they are", "true, where your privacy rules allow it"),
    "CHARGEHAND_KEEP_HISTORY_DAYS": Purpose(
        "how long sessions, statuses, alerts, commands and who did what are kept; a rule's window may be 400 days",
        "a number of days from 400 on, the default",
    ),
    "CHARGEHAND_KEEP_DETAIL_DAYS": Purpose(
        "how long samples of energies, judged events, sent messages and counts of polls are kept",
        "a number of days from 7 on; 35 is the default",
    ),
    "CHARGEHAND_BIND": Purpose(
        "the address to listen on; health pages and metrics are for everybody who reaches it",
        "an IP address; without it 127.0.0.1, and 0.0.0.0 (every address) in HTTP mode",
    ),
    "CHARGEHAND_PROXIES": Purpose(
        "proxies in front of the HTTP port: who calls is believed from their X-Forwarded-For, and from nobody's else",
        "IP addresses or networks such as 10.0.0.0/8, separated by commas; without it no such header is believed",
    ),
    "CHARGEHAND_HEARTBEAT_URL": Purpose(
        "an address that is asked once a minute while Chargehand can do its work, so that somebody hears when it stops",
        "a monitor of cron jobs or a dead man's switch of your own",
    ),
    "LOG_FORMAT": Purpose("how logs are written", "json for machines, console for people"),
}
"""Every setting; docs/settings.md is made from this."""

SECRETS = (
    "EOSVOLT_TOKEN",
    "SLACK_BOT_TOKEN",
    "SLACK_APP_TOKEN",
    "SLACK_SIGNING_SECRET",
    "CHARGEHAND_ID_TAG_KEY",
    "CHARGEHAND_HEARTBEAT_URL",
)
