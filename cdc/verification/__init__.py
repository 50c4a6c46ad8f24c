"""Whether both databases agree, while both are written."""
