"""A legacy schema becomes an expand revision, with a report that accounts for every statement."""
