"""Run a campaign: `python -m tests.kill SEED RUNS`."""

import signal
import sys

from tests.kill.campaign import main

signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that every process of the world is ended
sys.exit(main(sys.argv[1:]))
