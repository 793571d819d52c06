"""`python -m bot.execution` is `tocsin exec`."""

import os
import sys

from bot.execution.command import main

sys.exit(main(sys.argv[1:], os.environ))
