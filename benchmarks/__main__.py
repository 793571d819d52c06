"""Lists and runs the benchmarks: every module here that has a `main()`.

    python -m benchmarks [NAME ...]

Without names all run, one after the other, each in a process of its own so that none warms or slows the next.
"""

from __future__ import annotations

import argparse
import ast
import pkgutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

_FOLDER = Path(__file__).parent


def benchmarks() -> Iterator[tuple[str, str]]:
    """Each benchmark's name, and what it measures in a line."""
    for module in pkgutil.iter_modules([str(_FOLDER)]):
        if module.name.startswith("_"):
            continue
        tree = ast.parse((_FOLDER / f"{module.name}.py").read_text(encoding="utf-8"))
        functions = {
            node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        if "main" in functions:
            yield module.name, (ast.get_docstring(tree) or "").partition("\n")[0]


def run(names: Sequence[str]) -> int:
    """Run benchmarks; returns how many failed."""
    failed = []
    for name in names:
        print(f"\n== {name}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        if subprocess.run(command, cwd=_FOLDER.parent, check=False).returncode:
            failed.append(name)
    if failed:
        print(f"\nfailed or over its aim: {', '.join(failed)}")
    return len(failed)


def main() -> None:
    found = dict(benchmarks())
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run benchmarks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(found)}")
    parser.add_argument("--list", action="store_true", help="only say which there are")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in found]:
        parser.error(f"{unknown[0]} is not a benchmark; there are {', '.join(found)}")
    chosen = options.names or list(found)
    for name in chosen:
        print(f"{name:16} {found[name]}")
    if not options.list:
        raise SystemExit(min(run(chosen), 1))


if __name__ == "__main__":
    main()
