"""A change from the log of one database into the tables of the other, exactly once."""
