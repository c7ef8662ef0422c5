"""What every test shares: the asynchronous backend and the places of recorded data."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("default", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def shared_folder(name: str) -> Path:
    """The folder `name` of recorded data beside the project; skips the test, saying why, where it is absent."""
    folder = SHARED / name
    if not folder.exists():
        pytest.skip(f"recorded data is absent: ../shared/{name} is not beside the project")
    return folder
