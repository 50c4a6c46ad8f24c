"""Comparison of what legacy and modern answer: verdicts, accounting, gates and reports. It knows no sockets."""
