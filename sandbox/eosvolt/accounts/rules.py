"""The calls that most accounts have, under their own paths: lists, single things, reports, exports, prices.

It holds rules and answers nothing.
"""

from sandbox.eosvolt.accounts.tongue import Rule


def plain_rules(base: str, chargers: str, sessions: str, locations: str) -> tuple[Rule, ...]:
    """The reads that every account has, under its own paths; reports and exports beside them."""
    return (
        Rule("GET", f"{base}/{locations}", "/v1/locations"),
        Rule("GET", f"{base}/{locations}/{{id}}", "/v1/locations/{id}"),
        Rule("GET", f"{base}/{chargers}", "/v1/chargers"),
        Rule("GET", f"{base}/{chargers}/{{id}}", "/v1/chargers/{id}"),
        Rule("GET", f"{base}/{sessions}", "/v1/sessions"),
        Rule("GET", f"{base}/{sessions}/{{id}}", "/v1/sessions/{id}"),
        *figures(base),
    )


def figures(base: str) -> tuple[Rule, ...]:
    return (
        Rule("GET", f"{base}/reports/summary", "/v1/reports/summary"),
        Rule(
            "POST",
            f"{base}/exports",
            "/v1/exports/sessions",
            body={"from": "{from}", "to": "{to}", "locationId": "{location}"},
        ),
        Rule("GET", f"{base}/exports/{{id}}", "/v1/exports/{id}"),
    )


PRICES = {
    name: f"{{{name}}}"
    for name in ("unit", "default", "blocks", "blockingFee", "blockingFeeIntervalMinutes", "currency")
}
