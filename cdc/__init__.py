"""Streams between two PostgreSQL databases, the mappings they apply, and the comparison of both sides."""
