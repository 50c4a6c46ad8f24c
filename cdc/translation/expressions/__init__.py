"""What each kind of expression becomes in PostgreSQL, and how it is undone; one module for each kind."""
