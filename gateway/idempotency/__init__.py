"""Writes under an Idempotency-Key: claimed once, answered again."""
