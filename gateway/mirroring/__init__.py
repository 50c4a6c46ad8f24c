"""Copies of requests, and how both answers reach the comparison."""
