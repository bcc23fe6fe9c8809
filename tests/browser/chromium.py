"""The browser of the tests: where it is; ``python tests/browser/chromium.py`` installs one if there is none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
APT = "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium"
PLAYWRIGHT = f"{sys.executable} -m playwright install --only-shell chromium"


def find() -> str | None:
    """The path of a Chromium: one on PATH, or playwright's own."""
    return next(filter(None, map(shutil.which, NAMES)), None) or _own()


def _own() -> str | None:
    folder = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    found = sorted(folder.glob("chromium*/*/*chrom*shell")) + sorted(folder.glob("chromium-*/*/chrome"))
    return str(found[-1]) if found else None


def install() -> None:
    """By Debian's packages where this is root's machine, else by playwright; what fails is said and left."""
    ways = [APT] * (shutil.which("apt-get") is not None and os.geteuid() == 0) + [PLAYWRIGHT]
    for way in ways:
        if find():
            return
        print("installing a browser for the tests of the page", flush=True)
        try:
            subprocess.run(way, shell=True, capture_output=True, timeout=300, check=False)
        except subprocess.TimeoutExpired:
            continue
    if not find():
        print("NO BROWSER could be installed: the tests of the page will be skipped", flush=True)


if __name__ == "__main__":
    install()
