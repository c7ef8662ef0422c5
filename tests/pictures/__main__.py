"""Take every picture: `python -m tests.pictures FOLDER`, or with no folder those that stand in docs/pictures.

Each is taken 1280 and 390 pixels wide, light and dark; the documents keep the best of them, small.
"""

import argparse
import asyncio
from pathlib import Path

from bot.cli.demo import running_demo
from tests.conftest import ROOT
from tests.pictures.camera import cameras
from tests.pictures.scenes import SCENES, Studio
from tests.pictures.small import make_small

KEPT = {
    "card-firing": ("1280-light", "390-dark"),
    "card-safety": ("1280-light",),
    "card-snoozed": ("1280-dark",),
    "card-acknowledged": ("1280-light",),
    "card-resolved": ("1280-light",),
    "alerts": ("1280-light",),
    "digest": ("1280-light",),
    "modal-silence": ("1280-light",),
    "modal-act": ("1280-dark",),
    "modal-price": ("1280-light",),
    "modal-rule-preview": ("1280-light",),
    "home": ("1280-light",),
}
"""The pictures that stand in the documents, and how wide and in which colours each was taken."""


async def take(folder: Path, only: dict[str, tuple[str, ...]] | None) -> None:
    """Play each scene once, and take its picture with every camera."""
    async with running_demo(chargers=24) as demo, cameras(demo.page) as all_cameras:
        studio = Studio(demo)
        for scene in SCENES:
            shown = await scene(studio)
            for camera in all_cameras:
                if only is None or camera.name in only.get(shown.name, ()):
                    await camera.take(shown, folder)
            await studio.tidy()


def main() -> None:
    """Read the folder and take the pictures."""
    parser = argparse.ArgumentParser(prog="python -m tests.pictures", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="where all pictures go; without one docs/pictures")
    folder: Path | None = parser.parse_args().folder
    to = folder or ROOT / "docs" / "pictures"
    to.mkdir(parents=True, exist_ok=True)
    asyncio.run(take(to, None if folder else KEPT))
    for path in [] if folder else sorted(to.glob("*.png")):
        make_small(path)


if __name__ == "__main__":
    main()
