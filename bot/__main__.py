"""`python -m bot` is the command `tocsin`."""

from bot.cli import main

main()
