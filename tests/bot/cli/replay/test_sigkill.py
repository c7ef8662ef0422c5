"""A process killed with SIGKILL at any point of a poll, and started again, tells the same story as one that lived."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.engine import Database
from storage.schema import TRANSITION
from tests.bot.cli.replay.recorded import status, until, write_timeline
from tests.bot.cli.replay.service import live
from tests.forks import KILLED, run_and_wait
from tests.readings import at

ROWS = [
    status("10:00:00", "Faulted"),
    status("10:00:00", "Available", "c2"),
    status("10:02:20", "Faulted", "c2"),
    status("10:20:00", "Available"),
    until("10:40:00"),
]
POINTS = [
    "before the poll is finished",
    "between record and evaluate",
    "before the evaluation is committed",
    "after evaluate",
]
# a minute in which a change begins an alert, one that ends it, one in which an alert is due
MINUTES = ["10:03", "10:20", "10:33"]


def told(url: str) -> list[tuple[datetime, str, str, datetime]]:
    database = Database(url)
    with database.read() as connection:
        statement = sa.select(TRANSITION.c.at, TRANSITION.c.subject, TRANSITION.c.to_state, TRANSITION.c.active_at)
        rows = [tuple(row) for row in connection.execute(statement.order_by(TRANSITION.c.id))]
    database.close()
    return rows


@pytest.mark.parametrize("minute", MINUTES)
@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_any_point_loses_nothing_and_doubles_nothing(tmp_path: Path, point: str, minute: str) -> None:
    folder = write_timeline(tmp_path / "recording", ROWS)
    url = f"sqlite:///{tmp_path}/chargehand.db"
    assert run_and_wait(live, folder, url, at("10:00"), at(minute), point) == KILLED
    assert run_and_wait(live, folder, url, at(minute) + timedelta(minutes=1), at("10:40"), "never") == 0
    heard = told(url)
    assert [line[1:] for line in heard] == [
        ("c1", "pending", at("10:00")),
        ("c2", "pending", at("10:02:20")),
        ("c1", "inactive", at("10:00")),
        ("c2", "firing", at("10:02:20")),
    ]
    # its original time plus 30 minutes, at the next poll; or at the first one after the restart
    missed = minute == "10:33" and point != "after evaluate"
    assert heard[-1][0] == at("10:34" if missed else "10:33")
