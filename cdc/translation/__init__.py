"""The mapping engine: one SELECT in its author's dialect becomes a Mapping, with its way back, or is refused."""
