"""The kill harness: real processes, clients with histories, a nemesis, crash points, and a checker that knows nothing."""
