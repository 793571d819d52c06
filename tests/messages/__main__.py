"""Rewrites what is kept of the messages.

python -m tests.messages --write     the golden renderings and docs/messages.md
python -m tests.messages --shots     the photographs too, with Chromium; names after it: only those
"""

from __future__ import annotations

import argparse
import asyncio

from tests.messages import page
from tests.messages.catalogue import CATALOGUE
from tests.messages.golden import write_all


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.messages", description="Rewrite what is kept of messages."
    )
    parser.add_argument("--write", action="store_true", help="the golden renderings and docs/messages.md")
    parser.add_argument("--shots", nargs="*", metavar="KIND", help="photographs, of all kinds or of some")
    options = parser.parse_args()
    if not options.write and options.shots is None:
        parser.error("say --write or --shots")
    if options.shots is not None:
        from tests.messages.shots import photograph

        asyncio.run(photograph([CATALOGUE[name] for name in options.shots or CATALOGUE]))
    for name in write_all(CATALOGUE):
        print(name)
    page.PAGE.write_text(page.written(CATALOGUE), encoding="utf-8")


if __name__ == "__main__":
    main()
