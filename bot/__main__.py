"""The command `tocsin`, also as `python -m bot`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line. `exec` stands between a job and its start, so it loads nothing else."""
    if sys.argv[1:2] == ["exec"]:
        from bot.execution.command import main as execute

        sys.exit(execute(sys.argv[2:], os.environ))
    from bot.cli import app

    app(prog_name="tocsin")


if __name__ == "__main__":
    main()
