"""An EOSVOLT API that answers with the rows that a test lays out, and the jobs that poll it and evaluate rules.

An incremental poll gets the rows that were touched since the poll before; a full one gets them all.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx
import sqlalchemy as sa
from sqlalchemy import Row, Table

from bot.service.evaluating import evaluate
from bot.service.jobs import Jobs, run_inline, use_rules
from bot.service.polling.polls import poll
from eosvolt.client import EosvoltClient
from eosvolt.contract import Contract, contract_from, load_contract
from eosvolt.tokens import TokenSource
from rules.documents.document import rule_from_document
from storage.engine import Database
from storage.schema import ALERT
from tests.readings import T0

MINUTE = timedelta(minutes=1)
Rows = dict[str, Any]


def charger_row(charger_id: Any, *plugs: Any, location: Any = "l1", **values: Any) -> Rows:
    """A charger's row as the API gives it, with its connectors' rows."""
    return (
        {"id": charger_id, "locationId": location, "name": f"Box {charger_id}", "online": True}
        | values
        | {"connectors": list(plugs)}
    )


def plug_row(connector_id: Any, status: Any = "Available", **values: Any) -> Rows:
    """A connector's row."""
    return {"id": connector_id, "status": status, "errorCode": "NoError", "type": "CCS"} | values


def session_row(session_id: Any, connector_id: Any, started: datetime, **values: Any) -> Rows:
    """A session's row, open unless the values say otherwise."""
    told = {"id": session_id, "connectorId": connector_id, "chargerId": "ch1", "locationId": "l1", "status": "Active"}
    return told | {"startedAt": started.isoformat()} | values


class ApiOfRows:
    """The API and the jobs on a database; `rows` are what it gives by resource, changed at will."""

    def __init__(self, database: Database, *rules: dict[str, Any]) -> None:
        self.database = database
        self.rows: dict[str, list[Any]] = {
            "locations": [{"id": "l1", "name": "Harbour"}],
            "chargers": [],
            "sessions": [],
        }
        self.touched: dict[str, list[Any]] = {"chargers": [], "sessions": []}
        self.asked: list[str] = []
        self.jobs = Jobs(database, self._client(load_contract()), alert_channel="#alerts", run=run_inline)
        self.now = T0 - MINUTE
        use_rules(self.jobs, [rule_from_document(rule, "test.yaml") for rule in rules], self.now)

    def _client(self, contract: Contract) -> EosvoltClient:
        transport = httpx.MockTransport(self._answer)
        source = TokenSource.from_text("tok-3c9f1e77-secret")
        return EosvoltClient("https://api.example.com", source, contract, transport=transport, attempts=1)

    async def restart(self, override: str) -> None:
        """The service starts again, with a contract file that says this."""
        await self.jobs.client.aclose()
        self.jobs = Jobs(
            self.database,
            self._client(contract_from(override, "site.toml")),
            alert_channel="#alerts",
            run=run_inline,
            rules=self.jobs.rules,
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        resource = request.url.path.rsplit("/", 1)[-1]
        changes = request.url.params.get("updatedSince") is not None
        self.asked.append(f"{resource}{' that changed' if changes else ''}")
        rows = self.touched[resource] if changes else self.rows[resource]
        body = json.dumps({"data": rows, "total": len(rows)})
        return httpx.Response(200, content=body, headers={"content-type": "application/json"})

    async def tick(self, minutes: float = 1, **touched: list[Any]) -> list[str]:
        """A minute passes, in which these rows changed; then a poll and what follows from it: what moved."""
        self.now += minutes * MINUTE
        self.touched = {"chargers": [], "sessions": [], **touched}
        fresh = await poll(self.jobs, self.now)
        moved = evaluate(self.jobs, self.now, fresh) if fresh else []
        return [f"{one.subject} {getattr(one, 'to_state', 'event')}" for one in moved]

    async def ticks(self, number: int) -> list[str]:
        """So many minutes in which nothing changes."""
        return [moved for _ in range(number) for moved in await self.tick()]

    def stored(self, table: Table, *names: str) -> dict[str, Any]:
        """One column, or several, of every row by id."""
        with self.database.read() as connection:
            rows = connection.execute(sa.select(table.c.id, *(table.c[name] for name in names))).all()
        return {row[0]: row[1] if len(names) == 1 else tuple(row[1:]) for row in rows}

    def alerts(self) -> Mapping[str, Row[Any]]:
        """The open alerts by subject."""
        with self.database.read() as connection:
            rows = connection.execute(sa.select(ALERT).where(ALERT.c.state.in_(["pending", "firing"]))).all()
        return {row.subject: row for row in rows}
