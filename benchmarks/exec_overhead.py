"""What `tocsin exec` adds to a job: `true` by itself and under it, one after the other, in the same run.

python -m benchmarks.exec_overhead [ROUNDS]
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent


class _Bot(BaseHTTPRequestHandler):
    """Takes every run at once, so that the figure is the client's."""

    def do_POST(self) -> None:
        runs = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps({"items": [{"outcome": "accepted"} for _ in runs]}).encode()
        self.send_response(202)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silence."""


def _seconds(command: Sequence[str], environ: Mapping[str, str]) -> float:
    """From the start of a command to its end."""
    began = time.perf_counter()
    _, status = os.waitpid(os.posix_spawnp(command[0], list(command), dict(environ)), 0)
    took = time.perf_counter() - began
    if status:
        raise RuntimeError(f"{command} ended with {status}")
    return took


def measure(rounds: int) -> dict[str, list[float]]:
    """The seconds of each round for `true`, and for `true` under `tocsin exec`, logged only and posted too."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Bot)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        under = [sys.executable, "-m", "bot.execution", "job", "--lock-dir", f"{folder}/locks"]
        under += ["--spool", f"{folder}/spool", "--log", f"{folder}/log", "--", "true"]
        plain = {**os.environ, "PYTHONPATH": str(_ROOT), "PYTHONPYCACHEPREFIX": f"{folder}/compiled"}
        for name in ("TOCSIN_TOKEN", "PYTHONDONTWRITEBYTECODE"):  # an installed program is compiled
            plain.pop(name, None)
        posting = {
            **plain,
            "TOCSIN_URL": f"http://127.0.0.1:{server.server_port}",
            "TOCSIN_TOKEN": "benchmark",
        }
        found: dict[str, list[float]] = {"true": [], "logged": [], "logged and posted": []}
        _seconds(under, posting)
        for _ in range(rounds):
            found["true"].append(_seconds(["true"], plain))
            found["logged"].append(_seconds(under, plain))
            found["logged and posted"].append(_seconds(under, posting))
    server.shutdown()
    return found


def main() -> None:
    """Print the medians, and how much more each is than `true`."""
    found = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
    alone = statistics.median(found["true"])
    for name, times in found.items():
        median, best = statistics.median(times), min(times)
        print(
            f"{name:18} median {median * 1000:6.1f} ms, best {best * 1000:6.1f} ms, "
            f"adds {(median - alone) * 1000:6.1f} ms, {median / alone:5.1f} times true"
        )


if __name__ == "__main__":
    main()
