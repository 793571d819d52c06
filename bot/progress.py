"""The live table of `tocsin check`, and a plain one where nobody watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from bot.checking import Checked
from checks.result import State

_MOST_PARTS = 20
_STYLE = {
    State.OK: "green",
    State.WARNING: "yellow",
    State.CRITICAL: "bold red",
    State.UNKNOWN: "magenta",
    State.PENDING: "dim",
}


@contextmanager
def progress_table(names: Sequence[str], *, quiet: bool) -> Iterator[Callable[[Checked], None]]:
    """Tell the yielded function of each check that is done; the table follows. `quiet` shows nothing."""
    found: dict[str, Checked] = {}
    if quiet:
        yield lambda checked: None
        return
    console = Console()
    if not console.is_terminal:
        yield lambda checked: found.update({checked.name: checked})
        console.width = max(console.width, 160)
        console.print(_table(names, found))
        return
    with Live(_table(names, found), console=console, refresh_per_second=10) as live:

        def done(checked: Checked) -> None:
            found[checked.name] = checked
            live.update(_table(names, found))

        yield done


def _table(names: Sequence[str], found: dict[str, Checked]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Check", no_wrap=True)
    table.add_column("State", no_wrap=True)
    table.add_column("Took", justify="right", no_wrap=True)
    table.add_column("What it found", overflow="fold")
    for name in names:
        checked = found.get(name)
        if checked is None:
            table.add_row(Text(name), Spinner("dots"), "", "")
            continue
        state = Text(checked.state.value, style=_STYLE[checked.state])
        took = f"{checked.duration_ms:.0f} ms"
        table.add_row(Text(name), state, took, Text(checked.summary))
        for part, state_of_part, summary in checked.parts[:_MOST_PARTS]:
            table.add_row(
                Text(f"  {part}"), Text(state_of_part.value, style=_STYLE[state_of_part]), "", Text(summary)
            )
        if len(checked.parts) > _MOST_PARTS:
            table.add_row("", "", "", Text(f"and {len(checked.parts) - _MOST_PARTS} more", style="dim"))
    return table
