"""Stages, steps, gates, approvals and journal of a migration; the command line."""
