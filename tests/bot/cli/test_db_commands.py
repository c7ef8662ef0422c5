"""`chargehand db`: each command does what it says, and tells what it did."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli.db_commands import app


def test_a_database_is_made_checked_pruned_copied_and_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'chargehand.db'}")

    def told(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, list(arguments))
        assert done.exit_code == code, done.output
        return done.output

    assert "it is empty" in told("check", code=1)
    assert "went from empty to" in told("upgrade")
    assert "is at" in told("upgrade")
    assert "is whole" in told("check")
    assert told("prune") == "0 rows went.\n"
    assert "The copy is in" in told("backup", "copy.db")
    assert "before-restore" in told("restore", "copy.db", "--yes")
    assert "is whole" in told("check")
    assert "Nothing was kept of this driver." in told("forget", "A-77")
