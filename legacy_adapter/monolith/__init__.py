"""CORE/87, the simulated core-banking monolith of the demo."""
