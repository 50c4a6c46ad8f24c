"""The supervisor: its children, its admin API, and what it watches."""
