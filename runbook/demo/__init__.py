"""The demo: the whole story on throw-away databases, under load, with the proof at its end."""
