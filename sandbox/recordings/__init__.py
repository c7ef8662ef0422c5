"""Recorded data of charging networks, read into one form: events in time order, and the gaps in the record.

`open_recording` recognises a folder by its file names. It invents nothing: what a record does not say stays null.
"""

from sandbox.recordings.folder import open_recording
from sandbox.recordings.recording import Event, Recording, RecordingError

__all__ = ["Event", "Recording", "RecordingError", "open_recording"]
