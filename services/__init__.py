"""The new services that a monolith's capabilities move to: one folder each, nothing shared but config."""
