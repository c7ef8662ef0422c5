"""Which recording a folder holds, by the names of its files; it refuses a folder that holds none."""

from collections.abc import Callable
from pathlib import Path

from sandbox.recordings import irish, neutral, scotland, workplaces
from sandbox.recordings.recording import Recording, RecordingError, find_file

_FORMS: dict[str, Callable[[Path], Recording]] = {
    "timeline.csv": neutral.read,
    "irish_status_transitions_2018-11.csv": irish.read,
    "cps_sessions_2025-10.csv": scotland.read,
    "acn_sessions.csv": workplaces.read_acn,
    "station_data_dataverse.csv": workplaces.read_dataverse,
}


def open_recording(folder: Path) -> Recording:
    """The recording in `folder`, recognised by file name (each may end in .gz); RecordingError where there is none."""
    looked_for = f"looked for {', '.join(_FORMS)}, each also with .gz"
    if not folder.is_dir():
        raise RecordingError(f"{folder} is not a folder; {looked_for}")
    for name, read in _FORMS.items():
        path = find_file(folder, name)
        if path is not None:
            return read(path)
    raise RecordingError(f"{folder} holds no recording; {looked_for}")
