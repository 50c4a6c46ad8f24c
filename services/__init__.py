"""The new services that a monolith's capabilities move to: one folder each; they share config and the dry run."""
