"""Rows in bulk: the backfill, one table again, and what a repair puts right."""
