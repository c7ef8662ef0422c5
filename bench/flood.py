"""Signed slash commands at a steady pace: `python -m bench.flood --rate 500 --seconds 10`.

Each is sent at its moment, whether or not those before it were acknowledged, as Slack does. It prints how long the
acknowledgements took and exits 1 where one took over a second, failed, or was never answered.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass

from bench.peers.bare_bolt import bare_bolt
from bench.rows.slash_command import FLEET, TEXT, settings_for
from bench.sandboxes import Sandboxes, Typed, sandboxes
from bot.service.app import build
from bot.service.polling import polls
from rules.documents.document import Rule
from storage.migrate import upgrade

SLOWEST = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Flood:
    """So many commands a second, for so long."""

    rate: float
    seconds: float


def flooded_bare(wanted: Flood) -> Typed:
    """How a bare Bolt handler takes the same flood: no service can be quicker on this machine."""

    async def flood(world: Sandboxes) -> Typed:
        async with bare_bolt(world.addresses) as url:
            return await _typed(world, url, wanted)

    with sandboxes(FLEET) as world:
        return asyncio.run(flood(world))


def flooded(wanted: Flood, database_url: str | None = None) -> Typed:
    """How the acknowledgements of a flood went; the stand-in Slack types from a process of its own."""
    with tempfile.TemporaryDirectory(prefix="chargehand-flood-") as folder, sandboxes(FLEET) as world:
        return asyncio.run(_flooded(world, database_url or f"sqlite:///{folder}/flood.db", wanted))


async def _flooded(world: Sandboxes, database_url: str, wanted: Flood) -> Typed:
    service = build(settings_for(world.addresses, database_url), host="127.0.0.1")
    upgrade(service.database)
    await polls.poll(service.jobs, service.clock())
    await service.start(list[Rule]())
    assert service.http is not None
    url = f"http://127.0.0.1:{service.http.port}/slack/events"
    try:
        return await _typed(world, url, wanted)
    finally:
        await service.stop()


async def _typed(world: Sandboxes, url: str, wanted: Flood) -> Typed:
    await asyncio.to_thread(world.flood, url, TEXT, min(wanted.rate, 50.0), 1.0)  # connections and caches
    return await asyncio.to_thread(world.flood, url, TEXT, wanted.rate, wanted.seconds)


def told(wanted: Flood, typed: Typed) -> str:
    """The figures in a line, with how busy the machine was."""
    late = sum(seconds > SLOWEST for seconds in typed.acknowledged)
    cuts = statistics.quantiles(typed.acknowledged, n=100)
    return (
        f"{len(typed.acknowledged)} signed commands at {wanted.rate:g} a second: acknowledged after"
        f" {cuts[49] * 1000:.0f} ms (half), {cuts[98] * 1000:.0f} ms (99 of 100),"
        f" {max(typed.acknowledged) * 1000:.0f} ms (the slowest); {late} over {SLOWEST:g} s, {typed.failed} failed or"
        f" unanswered; all answered after {typed.seconds:.1f} s; load of the machine {os.getloadavg()[0]:.1f}"
    )


def main() -> None:
    """Read the arguments, make the flood, tell the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.flood", description=__doc__)
    parser.add_argument("--rate", type=float, default=500.0, help="commands a second")
    parser.add_argument("--seconds", type=float, default=10.0, help="for how long")
    parser.add_argument("--database", help="the address of a database; a SQLite file of its own without it")
    parser.add_argument("--bare", action="store_true", help="a bare Bolt handler in place of the service")
    arguments = parser.parse_args()
    wanted = Flood(arguments.rate, arguments.seconds)
    typed = flooded_bare(wanted) if arguments.bare else flooded(wanted, arguments.database)
    print(told(wanted, typed))
    sys.exit(1 if typed.failed or max(typed.acknowledged) > SLOWEST else 0)


if __name__ == "__main__":
    main()
