"""The panel beside the page: levers with which a visitor changes the world that the app watches.

It draws what it is given and pulls what is asked for; what a lever does is told by whoever runs the page, and is no
part of the workspace.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from sandbox.slack.server.page import SECURITY, check_loopback

Json = dict[str, Any]


@dataclass(frozen=True)
class Lever:
    """One lever. `choices` are values with their words, asked anew each time; None where there is nothing to choose.

    `pull` does it with the chosen value (empty without one) and answers in a sentence.
    """

    name: str
    label: str
    pull: Callable[[str], str]
    choices: Callable[[], Sequence[tuple[str, str]]] | None = None


class PanelServer:
    """The routes of the panel."""

    def __init__(self, levers: Sequence[Lever]) -> None:
        self.levers = {lever.name: lever for lever in levers}

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/page/panel", self._shown)
        app.router.add_post("/page/panel", self._pulled)

    async def _shown(self, request: web.Request) -> web.Response:
        check_loopback(request)
        told = [
            {"name": one.name, "label": one.label, "choices": list(one.choices()) if one.choices is not None else None}
            for one in self.levers.values()
        ]
        return web.json_response({"levers": told}, headers=SECURITY)

    async def _pulled(self, request: web.Request) -> web.Response:
        check_loopback(request)
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="JSON is needed here.")
        asked: Json = json.loads(await request.text())
        lever = self.levers.get(str(asked.get("name")))
        if lever is None:
            raise web.HTTPNotFound(text="There is no such lever.")
        value = str(asked.get("value") or "")
        offered = [choice for choice, _ in lever.choices()] if lever.choices is not None else [""]
        told = lever.pull(value) if value in offered else "That is not to be had any more; choose again."
        return web.json_response({"told": told}, headers=SECURITY)
