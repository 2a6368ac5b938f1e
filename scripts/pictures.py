"""Make the pictures of the documents with the real program.

    python scripts/pictures.py                      # after `make demo`
    python scripts/pictures.py --report report.html # also the charts of a report; needs chromium

The named photo is one of the public-domain portraits of the demo. Only the part of a report above
its photos is used: no photo of LFW or of a private person goes into the documents.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
CHARTS_HEIGHT = 1850


def named_photo(demo: Path) -> None:
    """Write the upper part of the demo's named photo, reduced for a page."""
    with Image.open(demo / "named.jpg") as photo:
        part = photo.crop((0, 0, photo.width, round(photo.width * 0.8)))
        part.thumbnail((800, 800), Image.Resampling.LANCZOS)
        part.save(PICTURES / "named.jpg", quality=85)


def charts(report: Path) -> None:
    """Write a screenshot of a report, as far as its photos."""
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "report.png"
        subprocess.run(
            [
                "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                "--disable-background-networking", f"--user-data-dir={folder}",
                f"--window-size=1280,{CHARTS_HEIGHT}", f"--screenshot={shot}",
                report.resolve().as_uri(),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
        )  # fmt: skip
        with Image.open(shot) as picture:
            small = picture.convert("RGB").quantize(64)
            small.save(PICTURES / "report.png", optimize=True)


def main() -> None:
    """Make the requested pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--demo", type=Path, default=Path("demo"))
    parser.add_argument("--report", type=Path)
    arguments = parser.parse_args()
    PICTURES.mkdir(parents=True, exist_ok=True)
    named_photo(arguments.demo)
    if arguments.report:
        charts(arguments.report)


if __name__ == "__main__":
    main()
