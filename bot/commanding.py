"""Carries out commands: claims each, calls EOSVOLT once, writes the answer down, and looks at what came of it."""

from datetime import datetime

from bot.faults import CrashAt, never_crash
from bot.jobs import Jobs


async def run_commands(jobs: Jobs, now: datetime, *, crash_at: CrashAt = never_crash) -> int:
    """Send what is due, and judge what was sent by the polls since; how many commands moved on.

    Call it after each poll and each click. The first call after a start is preceded by `recover_commands`.
    """
    raise NotImplementedError
