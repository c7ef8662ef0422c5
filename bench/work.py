"""The sections in their order, with the time that each may take: together under ten minutes, or under two.

A table; what a section does is its module's to say.
"""

from pathlib import Path

import psycopg

from bench.measuring import Stopwatch
from bench.peers import prometheus
from bench.rows import evaluation, growth, history, profiles, recording, sessions, slash_command, starting, tick
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
        with psycopg.connect(f"{server} dbname=postgres", autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET autovacuum_naptime = '1s'")
            connection.execute("SELECT pg_reload_conf()")
        evaluation.measure(watch, "postgresql", lambda _: url, size, 1)


SECTIONS: dict[str, tuple[Section, ...]] = {
    "full": (
        Section("rules on SQLite", rules_on_sqlite, 75),
        Section("Prometheus", prometheus.measure, 60),
        Section("recording", recording.measure, 50),
        Section("rules on PostgreSQL", rules_on_postgresql, 145),
        Section("start", starting.measure, 15),
        Section("slash command", slash_command.measure, 20),
        Section("tick", tick.measure, 75),
        Section("growth", growth.measure, 60),
        Section("sessions", sessions.measure, 35),
        Section("backtest", history.measure, 25),
        Section("profile", profiles.measure, 20),
    ),
    "quick": (
        Section("rules on SQLite", rules_on_sqlite, 20),
        Section("Prometheus", prometheus.measure, 25),
        Section("recording", recording.measure, 6),
        Section("rules on PostgreSQL", rules_on_postgresql, 12),
        Section("start", starting.measure, 6),
        Section("slash command", slash_command.measure, 7),
        Section("tick", tick.measure, 12),
        Section("growth", growth.measure, 8),
        Section("sessions", sessions.measure, 5),
        Section("backtest", history.measure, 4),
        Section("profile", profiles.measure, 8),
    ),
}
