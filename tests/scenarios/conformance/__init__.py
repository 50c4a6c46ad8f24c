"""The requirements of an HTTP proxy, each test named after its id in `tests/support/claims.py`."""
