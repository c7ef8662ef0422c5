"""The sections in their order, with the time that each may take: together under ten minutes, or under two.

A table; what a section does is its module's to say.
"""

from pathlib import Path

from bench.measuring import Stopwatch
from bench.peers import prometheus
from bench.rows import evaluation, growth, history, recording, sessions, slash_command, starting, tick
from bench.sections import AbsentError, Section
from bench.sizes import Size
from tests.databases import server_binaries, temporary_database, temporary_server


def rules_on_sqlite(watch: Stopwatch, folder: Path, size: Size) -> None:
    """Evaluation on SQLite, and the same questions by hand on its file."""
    evaluation.measure(watch, "sqlite", lambda number: f"sqlite:///{folder}/rules{number}.db", size, size.rounds)


def rules_on_postgresql(watch: Stopwatch, _folder: Path, size: Size) -> None:
    """Evaluation on a PostgreSQL server of its own, for one round."""
    binaries = server_binaries()
    if binaries is None:
        raise AbsentError("PostgreSQL's server binaries (initdb, pg_ctl) are not installed")
    with temporary_server(binaries) as server, temporary_database(server) as url:
        evaluation.measure(watch, "postgresql", lambda _: url, size, 1)


SECTIONS: dict[str, tuple[Section, ...]] = {
    "full": (
        Section("rules on SQLite", rules_on_sqlite, 110),
        Section("Prometheus", prometheus.measure, 80),
        Section("rules on PostgreSQL", rules_on_postgresql, 60),
        Section("recording", recording.measure, 40),
        Section("start", starting.measure, 25),
        Section("slash command", slash_command.measure, 25),
        Section("tick", tick.measure, 60),
        Section("growth", growth.measure, 70),
        Section("sessions", sessions.measure, 45),
        Section("backtest", history.measure, 25),
    ),
    "quick": (
        Section("rules on SQLite", rules_on_sqlite, 25),
        Section("Prometheus", prometheus.measure, 40),
        Section("rules on PostgreSQL", rules_on_postgresql, 20),
        Section("recording", recording.measure, 10),
        Section("start", starting.measure, 10),
        Section("slash command", slash_command.measure, 8),
        Section("tick", tick.measure, 15),
        Section("growth", growth.measure, 10),
        Section("sessions", sessions.measure, 5),
        Section("backtest", history.measure, 10),
    ),
}
