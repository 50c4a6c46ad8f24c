"""Dry runs for any Starlette service: nothing stays, nothing leaves, and the answer says what would have left."""
