"""Schemas of the new services: revisions that expand and contract, applied one at a time and linted."""
