"""Brings services into the world: imports everything once, then forks a life each time that it is told to.

A life is `chargehand run` as an operator starts it, without the two seconds that Python needs to read the code. One
lives at a time; the nursery has no thread and no connection that a life could inherit.
"""

import ctypes
import faulthandler
import os
import signal
import sys

# what a start imports on its way, so that no life has to
import alembic.command  # noqa: F401
import psycopg  # noqa: F401
import sqlalchemy.dialects.postgresql.psycopg  # noqa: F401

import bot.service.operating.process  # noqa: F401
from bot.cli.main import main

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Let the system end this process where whoever made it is gone."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def live() -> None:
    """Be the service; never returns."""
    die_with_parent()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    faulthandler.register(signal.SIGUSR1)  # says where it stands, for who finds that it hangs
    os.dup2(2, 1)  # the way back to whoever orders lives is the nursery's alone
    sys.argv = ["chargehand", "run"]
    code = 1
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        os._exit(code)


def nurse() -> None:
    """For each line read, one life: `born PID`, then `ended CODE`, negative for a signal."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            live()
        print(f"born {child}", flush=True)
        _, status = os.waitpid(child, 0)
        print(f"ended {os.waitstatus_to_exitcode(status)}", flush=True)


if __name__ == "__main__":
    die_with_parent()
    print("ready", flush=True)
    nurse()
