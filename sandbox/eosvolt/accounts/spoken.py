"""A front of the stand-in API that speaks an account's tongue: an ASGI application around the plain one.

Each call becomes one plain call, and its answer is told in the account's way; lists are cut into the account's pages.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, quote

from sandbox.eosvolt.accounts.tongue import TIMES, Rule, Tongue, flat
from sandbox.eosvolt.api import Api, Receive, Scope, Send
from sandbox.eosvolt.pages import cut

MOST = 1000
_WORD = re.compile(r"\{([\w.]+)\}")
_LISTS = ("locations", "chargers", "sessions")


class Spoken:
    """The application: `api` is the plain one, of which everything else can be asked as ever."""

    def __init__(self, api: Api, tongue: Tongue) -> None:
        self.api, self.tongue = api, tongue
        self._jobs: dict[str, dict[str, Any]] = {}
        self._patterns = [(rule, re.compile(_WORD.sub(_group, rule.path))) for rule in tongue.rules]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI conversation."""
        if scope["type"] != "http" or scope["path"].startswith("/__sandbox__"):
            await self.api(scope, receive, send)
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        status, told, headers = self._answer(scope, json.loads(body or b"{}"))
        content = json.dumps(told).encode()
        date = format_datetime(self.api.clock(), usegmt=True)
        sent = {"content-type": "application/json", "content-length": str(len(content)), "date": date, **headers}
        start = [(name.encode(), value.encode()) for name, value in sent.items()]
        await send({"type": "http.response.start", "status": status, "headers": start})
        await send({"type": "http.response.body", "body": content})

    def _answer(self, scope: Scope, body: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        path = (scope.get("raw_path") or scope["path"].encode()).decode().partition("?")[0]
        query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
        for rule, pattern in self._patterns:
            match = pattern.fullmatch(path) if rule.method == scope["method"] else None
            if match is not None:
                words = {name.replace("__", "."): value for name, value in match.groupdict().items()}
                return self._spoken(scope, rule, words | flat(body), query)
        status, told = self.tongue.refuse(404, {"code": "not_found", "message": "There is no such route."})
        return status, told, {}

    def _spoken(
        self, scope: Scope, rule: Rule, words: Mapping[str, Any], query: Mapping[str, str]
    ) -> tuple[int, Any, dict[str, str]]:
        if rule.plain == "job":
            job = self._jobs.get(str(words["id"]))
            return (200, job, {}) if job else (404, {"message": "no such job"}, {})
        tongue = self.tongue
        path = _WORD.sub(lambda match: quote(str(words.get(match[1], "")), safe="%"), rule.plain)
        plain: dict[str, Any] = {}
        for name, text in rule.body.items():
            value = self._filled(text, words)
            if value is not None:
                plain[name] = self._plain_value(name, value)
        resource = rule.plain.strip("/").split("/")[-1]
        listing = rule.method == "GET" and resource in _LISTS
        try:
            asked = self._plain_query(query, paged=listing)
        except ValueError as error:  # a time that is none
            status, told = tongue.refuse(400, {"code": "invalid_parameter", "message": str(error)})
            return status, told, {}
        status, facts = self._plain(scope, rule.plain_method or rule.method, path, asked, plain)
        if status >= 400:
            status, told = tongue.refuse(status, facts)
            return status, told, dict(facts.get("headers", {}))
        if listing:
            rows = list(facts["data"])
            while len(rows) < facts["total"]:
                more = {**asked, "page": str(len(rows) // MOST + 1)}
                rows += self._plain(scope, "GET", path, more, {})[1]["data"]
            return self._listed(scope, resource, rows, query)
        return self._one(rule, status, facts)

    def _listed(
        self, scope: Scope, resource: str, rows: list[dict[str, Any]], query: Mapping[str, str]
    ) -> tuple[int, Any, dict[str, str]]:
        nested = bool(self.tongue.nested) and resource == "chargers"
        given: list[Any] = self._by_location(rows) if nested else rows
        page = cut(given, query, self.tongue.manner, f"https://api.example.com{scope['path']}")
        if not page.found:
            status, document = self.tongue.refuse(404, {"code": "not_found", "message": "There is no such page."})
            return status, document, {}
        # what is on no page of this question is not told: most of a long list, each time
        told = [
            self._location(*row) if nested else self.tongue.tell(resource.removesuffix("s"), row) for row in page.rows
        ]
        return 200, self.tongue.wrap(replace(page, rows=told, of=resource)), page.headers

    def _by_location(self, rows: list[dict[str, Any]]) -> list[tuple[Mapping[str, Any], list[dict[str, Any]]]]:
        """The locations where these chargers stand, each with its own."""
        inside: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            inside.setdefault(row["locationId"], []).append(row)
        table = self.api.source.world.locations
        return [(location.fields, inside[location.id]) for location in table if location.id in inside]

    def _location(self, fields: Mapping[str, Any], chargers: list[dict[str, Any]]) -> dict[str, Any]:
        """A location with its chargers in it."""
        told = [self.tongue.tell("charger", charger) for charger in chargers]
        return {**self.tongue.tell("location", fields), self.tongue.nested: told}

    def _one(self, rule: Rule, status: int, facts: Mapping[str, Any]) -> tuple[int, Any, dict[str, str]]:
        resource = _resource_of(rule)
        told = self.tongue.tell(resource, facts)
        if self.tongue.jobs and resource == "command":
            number = f"job-{len(self._jobs) + 1}"
            self._jobs[number] = self.tongue.one({**told, "jobId": number})
            return 202, self.tongue.one({"jobId": number, "state": "QUEUED"}), {}
        return status, self.tongue.one(told), {}

    def _plain(
        self, scope: Scope, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any]
    ) -> tuple[int, Any]:
        """One call of the plain API."""
        inner = {
            **scope,
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items()).encode(),
        }
        now = self.api.clock()
        self.api.source.advance_to(now)
        answer = self.api.answer(inner, json.dumps(body).encode() if body else b"", now)
        document = json.loads(answer.body) if answer.body else {}
        if answer.status >= 400:
            headers = {name.decode(): value.decode() for name, value in answer.headers}
            document = {**document, "headers": headers}
        return answer.status, document

    def _plain_query(self, query: Mapping[str, str], *, paged: bool) -> dict[str, str]:
        tongue, plain = self.tongue, {}
        for name, value in query.items():
            word = tongue.params.get(name)
            if word:
                ours = tongue.plain_time(value) if word in TIMES or word == "updatedSince" else value
                plain[word] = tongue.plain_word(f"session.{word}", ours)
        return {**plain, "limit": str(MOST)} if paged else plain

    def _filled(self, text: str, words: Mapping[str, Any]) -> Any:
        whole = _WORD.fullmatch(text)
        if whole is not None:
            return words.get(whole[1])
        names = _WORD.findall(text)
        if any(words.get(name) is None for name in names):
            return None
        return _WORD.sub(lambda match: str(words[match[1]]), text)

    def _plain_value(self, name: str, value: Any) -> Any:
        tongue = self.tongue
        if name == "blocks" and isinstance(value, list):
            names = {theirs: ours for ours, theirs in tongue.names.get("price_block", {}).items()}
            blocks = [{names.get(key, key): one for key, one in block.items()} for block in value]
            return [{key: self._plain_value(key, one) for key, one in block.items()} for block in blocks]
        if name in TIMES and (isinstance(value, int) or len(str(value)) >= 16):
            return tongue.plain_time(str(value))
        if name in tongue.factors and isinstance(value, int | float):
            return round(value / tongue.factors[name], 6)
        return tongue.plain_word(name, value)


def _resource_of(rule: Rule) -> str:
    plain = rule.plain.strip("/").split("/")
    if plain[-1] in {"reset", "unlock", "availability"}:
        return "command"
    known = {"pricing": "pricing", "summary": "report", "exports": "export"}
    return next((known[part] for part in reversed(plain) if part in known), plain[1].removesuffix("s"))


def _group(match: re.Match[str]) -> str:
    return f"(?P<{match[1].replace('.', '__')}>[^/]+)"
