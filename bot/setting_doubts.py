"""What is doubtful about settings that are right one by one: names that nothing reads, files that others may read.

Nothing here stops the start; each doubt is one sentence with its mend, for the log and for `chargehand doctor`.
"""

import os
import re
import stat
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

from dotenv import dotenv_values

from bot.setting_purposes import PURPOSES, SECRETS
from bot.settings import Settings

OURS = ("CHARGEHAND_", "EOSVOLT_")
"""What begins so is meant for Chargehand; other names are doubted only where they are nearly one of ours."""
ALIKE = 0.85
ENV_FILE = Path(".env")
SLACK_ID = re.compile(r"[UWS][A-Z0-9]{2,}")


def misspelt(environment: Mapping[str, str] | None = None, env_file: Path = ENV_FILE) -> list[str]:
    """A sentence for each name, in the environment or in `.env`, that looks like a setting and is none."""
    names = dict.fromkeys(name.upper() for name in (os.environ if environment is None else environment))
    try:
        written = dict.fromkeys(name.upper() for name in dotenv_values(env_file, interpolate=False))
    except (OSError, UnicodeDecodeError):
        written = {}
    told = [_doubt(name, "the environment") for name in names if name.startswith((*OURS, "SLACK_"))]
    told += [_doubt(name, str(env_file)) for name in written]
    return [sentence for sentence in told if sentence is not None]


def wide_files(paths: Iterable[Path] = (ENV_FILE,)) -> list[str]:
    """A sentence for each file with settings that others than its owner may read or write."""
    told = []
    for path in paths:
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:
            continue
        if mode & 0o077:
            told.append(f"{path} can be read by others than its owner (mode {mode:04o}): chmod 600 {path}")
    return told


def odd_names(settings: Settings) -> list[str]:
    """A sentence for each name of who may act that is neither Slack's id nor written as a user group's handle."""
    told = {"CHARGEHAND_ADMINS": settings.chargehand_admins, "CHARGEHAND_OPERATORS": settings.chargehand_operators}
    return [
        f"{setting}: {name} is no Slack id; members are like U0123ABCD, handles of user groups like @{name.lower()}"
        for setting, names in told.items()
        for name in names
        if SLACK_ID.fullmatch(name) is None and not name.startswith("@")
    ]


def nobody_may_act(settings: Settings) -> str | None:
    """The sentence for settings that leave nobody who may act on anything; None where somebody may."""
    if settings.chargehand_admins or settings.chargehand_operators or settings.chargehand_workspace_admins:
        return None
    return (
        "nobody may act in Slack: no start, stop, acknowledgement, silence or change of a rule. Set "
        "CHARGEHAND_ADMINS=U... to the member ids of whoever may (in Slack: profile, three dots, Copy member ID), or "
        "CHARGEHAND_WORKSPACE_ADMINS=true for the workspace's admins and owners, and start again"
    )


def _doubt(name: str, place: str) -> str | None:
    known = [*PURPOSES, *(f"{secret}_FILE" for secret in SECRETS)]
    if name in known:
        return None
    near = get_close_matches(name, known, n=1, cutoff=0.6 if name.startswith(OURS) else ALIKE)
    if near:
        return f"{name} in {place} is no setting; did you mean {near[0]}?"
    return f"{name} in {place} is no setting; docs/settings.md has them all" if name.startswith(OURS) else None
