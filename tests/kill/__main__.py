"""Run a campaign: `python -m tests.kill SEED RUNS`."""

import sys

from tests.kill.campaign import main

sys.exit(main(sys.argv[1:]))
