"""The command line as people meet it: bad input gives one clear message with its mend, never a traceback."""

import asyncio
import json
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.eosvolt.api import create_api
from sandbox.eosvolt.server import serving
from sandbox.fleet.fleet import FleetSource
from sandbox.world.clock import SpeedClock
from tests.bot.cli.replay.recorded import COLUMNS, status, until, write_timeline
from tests.conftest import ROOT
from tests.forks import Done, command_line

LIBRARY = ROOT / "rules/library"
FAULTED = LIBRARY / "connector-faulted.yaml"
TOKEN, PASSWORD = "tok-7f3a9c", "hunter2-9b1d"

BROKEN_RULE = """\
- name: faulted
  for_each: connector
  when: connector.statu == "Faulted"
  severity: critical
"""


LONGEST_MESSAGE = 8
"""Lines on stderr: enough for three settings, a condition with its caret, or the frame around a wrong option."""


def chargehand(*arguments: object, cwd: Path, **environment: str) -> Done:
    """Run the command line in a folder, with only this environment; no secret and no traceback may show."""
    clean = {"PATH": os.environ["PATH"], "HOME": str(cwd), "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
    done = command_line([*map(str, arguments)], cwd, clean | environment)
    told = done.out + done.err
    assert "Traceback" not in told, told
    for secret in (TOKEN, PASSWORD):
        assert secret not in told
    return done


def refused(*arguments: object, cwd: Path, **environment: str) -> str:
    """The one message of a command that does not do what it was asked: on stderr, and nothing beside it."""
    done = chargehand(*arguments, cwd=cwd, **environment)
    assert done.code not in {0, None}, done.out
    assert done.out == ""
    assert 0 < len(done.err.splitlines()) <= LONGEST_MESSAGE, done.err
    return done.err


def found(*, cwd: Path, **environment: str) -> dict[str, str]:
    """What `doctor` found to fail, with the mend, by the name of the check."""
    done = chargehand("doctor", cwd=cwd, **environment)
    assert (done.code, done.err) == (1, "")
    failures: dict[str, str] = {}
    for line in done.out.splitlines():
        if line.startswith("FAILED "):
            name, told = line.removeprefix("FAILED ").split("  ", maxsplit=1)
            failures[name] = told.strip()
        elif failures and line.strip().startswith("Mend: "):
            failures[next(reversed(failures))] += f" {line.strip()}"
    return failures


@pytest.fixture
def busy_port() -> Iterator[int]:
    """A port of this machine on which something else listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken, and refuses every connection."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def recording(folder: Path) -> Path:
    """A recording of one hour in which one connector is out of order."""
    return write_timeline(folder, [status("10:00:00", "Faulted"), until("11:00:00")])


def test_help_names_every_command(tmp_path: Path) -> None:
    done = chargehand("--help", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    for name in ("run", "demo", "replay", "sandbox", "doctor", "rules", "db"):
        assert f" {name} " in done.out


def test_started_from_nothing_it_imports_all_that_a_command_needs(tmp_path: Path) -> None:
    """The other tests fork a process that has imported everything; this one and the long replays do not."""
    command = [sys.executable, "-m", "bot.cli.main", "rules", "check", str(FAULTED)]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "connector-faulted" in done.stdout


def test_a_good_rule_file_is_told_to_be_right(tmp_path: Path) -> None:
    done = chargehand("rules", "check", LIBRARY if os.environ.get("CI") else FAULTED, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert "connector-faulted" in done.out


def test_replay_writes_nothing_but_json_lines_to_stdout(tmp_path: Path) -> None:
    done = chargehand("replay", "--data", recording(tmp_path / "data"), "--rules", FAULTED, cwd=tmp_path)
    assert done.code == 0
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [(line["at"], line["from"], line["to"]) for line in lines] == [
        ("2026-03-02T10:00:00Z", "inactive", "pending"),
        ("2026-03-02T10:30:00Z", "pending", "firing"),
    ]
    assert "61 polls over 1:00:00" in done.err


BROKEN_RULES = [
    ("broken.yaml", ["broken.yaml", 'rule "faulted"', "column 1", 'did you mean "connector.status"?', "^"]),
    ("nowhere.yaml", ["nowhere.yaml", "no such file or folder"]),
    ("latin.yaml", ["latin.yaml", "not UTF-8"]),
    ("list.yaml", ["list.yaml"]),
    ("deep.yaml", ["deep.yaml", 'rule "deep"', "a database cannot run it", "less nested"]),
]


@pytest.mark.parametrize(("name", "words"), BROKEN_RULES)
def test_a_rule_file_that_is_missing_or_wrong(tmp_path: Path, name: str, words: list[str]) -> None:
    (tmp_path / "broken.yaml").write_text(BROKEN_RULE)
    (tmp_path / "latin.yaml").write_bytes(b"- name: caf\xe9\n")
    (tmp_path / "list.yaml").write_text("- [")
    deep = "not (" * 15 + "charger.online" + " and charger.online)" * 15
    (tmp_path / "deep.yaml").write_text(f"- name: deep\n  for_each: connector\n  when: {deep}\n")
    told = refused("rules", "check", name, cwd=tmp_path)
    assert [word for word in words if word not in told] == []


def test_replay_and_doctor_tell_of_a_broken_rule_file_too(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text(BROKEN_RULE)
    data = recording(tmp_path / "data")
    assert "did you mean" in refused("replay", "--data", data, "--rules", "broken.yaml", cwd=tmp_path)
    failures = found(cwd=tmp_path, CHARGEHAND_RULES="broken.yaml")
    assert "did you mean" in failures["rules"]


@pytest.mark.parametrize("command", ["replay", "sandbox"])
def test_a_folder_without_a_recording(tmp_path: Path, command: str) -> None:
    (tmp_path / "empty").mkdir()
    arguments = ["--data", "empty", "--rules", FAULTED] if command == "replay" else ["--replay", "empty", "--port", 0]
    told = refused(command, *arguments, cwd=tmp_path)
    assert "empty holds no recording" in told
    assert "timeline.csv" in told


def test_a_recording_with_a_bad_row_names_file_line_column_and_value(tmp_path: Path) -> None:
    rows = ["2026-03-02T10:00:00Z,,ch1,c1,status,Faulted,,,,", "yesterday,,ch1,c1,status,Available,,,,"]
    (tmp_path / "timeline.csv").write_text("\n".join([",".join(COLUMNS), *rows]))
    told = refused("replay", "--data", ".", "--rules", FAULTED, cwd=tmp_path)
    assert 'timeline.csv, line 3, column "at": "yesterday"' in told
    assert "2025-10-01T08:00:00Z" in told


@pytest.mark.parametrize(("out", "reason"), [("no/such/out.jsonl", "No such file"), ("data", "Is a directory")])
def test_an_output_path_that_cannot_be_written(tmp_path: Path, out: str, reason: str) -> None:
    data = recording(tmp_path / "data")
    told = refused("replay", "--data", data, "--rules", FAULTED, "--out", out, cwd=tmp_path)
    assert told.startswith(f"{out}: {reason}")


@pytest.mark.parametrize("command", [["sandbox", "--fleet", "1"], ["demo"]])
def test_a_port_in_use(tmp_path: Path, command: list[str], busy_port: int) -> None:
    told = refused(*command, "--port", busy_port, cwd=tmp_path)
    assert f"port {busy_port}: Address already in use" in told
    assert "choose another port" in told


def test_the_service_names_every_missing_setting_with_its_place_to_get_it(tmp_path: Path) -> None:
    told = refused("run", cwd=tmp_path)
    assert [line.split()[0] for line in told.splitlines()] == ["EOSVOLT_BASE_URL", "EOSVOLT_TOKEN", "SLACK_BOT_TOKEN"]
    assert all("is missing" in line and "Get it from" in line for line in told.splitlines())


def test_without_a_way_in_socket_mode_is_named_first(tmp_path: Path) -> None:
    known = {"EOSVOLT_BASE_URL": "http://127.0.0.1:1", "EOSVOLT_TOKEN": TOKEN, "SLACK_BOT_TOKEN": "xoxb-1234"}
    told = refused("run", cwd=tmp_path, **known)
    places = [told.index(name) for name in ("SLACK_APP_TOKEN is missing", "SLACK_SIGNING_SECRET is missing", "PORT is")]
    assert places == sorted(places)
    assert "PORT is missing" not in refused("run", cwd=tmp_path, PORT="0", **known)


WRONG_ADDRESSES = [
    ("127.0.0.1:18101", "is no address that begins with https://"),
    ("api.eosvolt.com", "is no address that begins with https://"),
    ("https://", "is no address that begins with https://"),
    ("ftp://api.eosvolt.com", "is no address that begins with https://"),
    ("https://api.eosvolt.com:port/", "is no address that begins with https://"),
    ("https://a b/", "is no address that begins with https://"),
    (f"https://user:{PASSWORD}@host/", "has no user, password, query or fragment"),
    (f"https://host/?token={PASSWORD}", "has no user, password, query or fragment"),
    ("http://api.eosvolt.com/", "CHARGEHAND_ALLOW_HTTP=true"),
    ("http://192.168.1.7:8081", "CHARGEHAND_ALLOW_HTTP=true"),
]


@pytest.mark.parametrize("name", ["EOSVOLT_BASE_URL", "SLACK_API_URL"])
@pytest.mark.parametrize(("url", "reason"), WRONG_ADDRESSES)
def test_a_wrong_address_is_one_clear_line(tmp_path: Path, name: str, url: str, reason: str) -> None:
    for command in ("run", "doctor"):
        told = refused(command, cwd=tmp_path, **{name: url})
        assert told.startswith(f"{name}: ")
        assert reason in told
        assert len(told.splitlines()) == 1


@pytest.mark.parametrize("url", ["http://localhost:8081", "http://127.0.0.1:1", "http://[::1]:1", "http://127.9.9.9"])
def test_http_on_this_machine_is_allowed(tmp_path: Path, url: str) -> None:
    assert "EOSVOLT_TOKEN is missing" in found(cwd=tmp_path, EOSVOLT_BASE_URL=url)["EOSVOLT"]


def test_http_to_another_machine_is_allowed_where_the_setting_says_so(tmp_path: Path) -> None:
    settings = {"EOSVOLT_BASE_URL": "http://eosvolt.test", "CHARGEHAND_ALLOW_HTTP": "true"}
    assert "EOSVOLT_TOKEN is missing" in found(cwd=tmp_path, **settings)["EOSVOLT"]


def test_a_misspelt_setting_is_told_with_the_right_name(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CHARGEHAND_RULE=rules\nSLACK_BOT_TOKN=xoxb-1\nHOME_DIR=/\n")
    failures = found(cwd=tmp_path, CHARGEHAND_ADMIN="", EOSVOLT_TOKEN_FIL="x", SLACK_CHANNEL="#x")
    for wrong, right in {
        "CHARGEHAND_ADMIN in the environment": "CHARGEHAND_ADMINS",
        "EOSVOLT_TOKEN_FIL in the environment": "EOSVOLT_TOKEN_FILE",
        "CHARGEHAND_RULE in .env": "CHARGEHAND_RULES",
        "SLACK_BOT_TOKN in .env": "SLACK_BOT_TOKEN",
    }.items():
        assert f"{wrong} is no setting; did you mean {right}?" in failures["settings"]
    assert "HOME_DIR" not in failures["settings"]
    assert "SLACK_CHANNEL" not in failures["settings"]


def test_a_database_is_made_for_its_owner_alone_and_a_wide_env_file_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LOG_FORMAT=json\n")
    (tmp_path / ".env").chmod(0o644)
    assert chargehand("db", "upgrade", cwd=tmp_path).code == 0
    assert oct((tmp_path / "chargehand.db").stat().st_mode & 0o777) == "0o600"
    assert "chmod 600 .env" in chargehand("doctor", cwd=tmp_path).out
    (tmp_path / ".env").chmod(0o600)
    assert "chmod" not in chargehand("doctor", cwd=tmp_path).out


def test_doctor_names_what_is_missing(tmp_path: Path) -> None:
    failures = found(cwd=tmp_path)
    assert "CHARGEHAND_RULES is missing" in failures["rules"]
    assert "EOSVOLT_BASE_URL is missing" in failures["EOSVOLT"]
    assert "chargehand db upgrade" in failures["database"]
    failures = found(cwd=tmp_path, EOSVOLT_BASE_URL="http://127.0.0.1:1")
    assert "EOSVOLT_TOKEN is missing" in failures["EOSVOLT"]


async def test_a_wrong_token(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    source = FleetSource(1, 1, now)
    async with serving(create_api(source, clock=SpeedClock(now, 0, lambda: 0.0))) as url:
        failures = await asyncio.to_thread(found, cwd=tmp_path, EOSVOLT_BASE_URL=url, EOSVOLT_TOKEN=TOKEN)
        right = await asyncio.to_thread(found, cwd=tmp_path, EOSVOLT_BASE_URL=url, EOSVOLT_TOKEN="sandbox-token")
    assert "EOSVOLT refuses it: it is wrong, or was revoked (401)" in failures["EOSVOLT token"]
    assert "admin portal" in failures["EOSVOLT token"]
    assert not [name for name in failures if "/v1/" in name], "said once"
    assert not [name for name in right if "/v1/" in name]


def test_an_api_that_cannot_be_reached(tmp_path: Path, closed_port: int) -> None:
    url = f"http://127.0.0.1:{closed_port}"
    failures = found(cwd=tmp_path, EOSVOLT_BASE_URL=url, EOSVOLT_TOKEN=TOKEN)
    for name in ("locations", "chargers", "sessions"):
        assert "could not be reached" in failures[f"GET /v1/{name}"]
        assert "check the network and EOSVOLT_BASE_URL" in failures[f"GET /v1/{name}"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "override.toml: cannot be read: No such file"), ("nonsense = [", "override.toml: is not TOML")],
)
def test_a_contract_override_that_cannot_be_read(tmp_path: Path, content: str | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "override.toml").write_text(content)
    settings = {"EOSVOLT_BASE_URL": "http://127.0.0.1:1", "EOSVOLT_TOKEN": TOKEN}
    failures = found(cwd=tmp_path, CHARGEHAND_CONTRACT="override.toml", **settings)
    assert reason in failures["EOSVOLT"]


UNUSABLE_DATABASES = [
    (f"mysql://user:{PASSWORD}@host/name", "DATABASE_URL: only SQLite and PostgreSQL are known"),
    ("sqlite:///no/such/folder.db", "unable to open database file. Check DATABASE_URL."),
    ("sqlite:///text.db", "file is not a database. Check DATABASE_URL."),
    (f"postgresql://user:{PASSWORD}@127.0.0.1:{{closed_port}}/name", "Connection refused"),
    (f"postgresql://user:{PASSWORD}@127.0.0.1:port/name", "DATABASE_URL"),
]


@pytest.mark.parametrize(("url", "reason"), UNUSABLE_DATABASES)
def test_a_database_that_cannot_be_used(tmp_path: Path, url: str, reason: str, closed_port: int) -> None:
    (tmp_path / "text.db").write_text("not a database, and longer than a header of one\n" * 40)
    told = refused("db", "upgrade", cwd=tmp_path, DATABASE_URL=url.format(closed_port=closed_port))
    assert reason in told


def test_doctor_tells_of_a_database_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    failures = found(cwd=tmp_path, DATABASE_URL="sqlite:///no/such/folder.db")
    assert "no/such/folder.db" in failures["database"]
    assert "Mend: Check DATABASE_URL" in failures["database"]


@pytest.mark.parametrize("url", [f"mysql://user:{PASSWORD}@host/name", "nonsense"])
def test_a_replay_refuses_an_unknown_database(tmp_path: Path, url: str) -> None:
    data = recording(tmp_path / "data")
    told = refused("replay", "--data", data, "--rules", FAULTED, "--database", url, cwd=tmp_path)
    assert "only SQLite and PostgreSQL are known" in told


def test_a_database_is_upgraded_once_and_one_of_another_version_is_refused(tmp_path: Path) -> None:
    first, second = (chargehand("db", "upgrade", cwd=tmp_path) for _ in range(2))
    assert (first.code, second.code) == (0, 0)
    assert "went from empty to" in first.out
    assert "already" in second.out
    with closing(sqlite3.connect(tmp_path / "chargehand.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    told = refused("db", "upgrade", cwd=tmp_path)
    assert "another version of Chargehand" in told
    assert "9999" in told


def test_an_unknown_time_zone(tmp_path: Path) -> None:
    told = refused("db", "upgrade", cwd=tmp_path, CHARGEHAND_TIMEZONE="Mars/Olympus")
    assert "CHARGEHAND_TIMEZONE: no such time zone" in told
    assert "Europe/Copenhagen" in told
