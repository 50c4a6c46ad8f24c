"""The proxy: one supervisor, its workers, and the process that compares."""
