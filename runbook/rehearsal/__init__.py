"""The rehearsal: advance and back on copies, so that a plan can say how long each step will take."""
