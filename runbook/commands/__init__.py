"""The subcommands: thin functions that import what they run when they run it."""
