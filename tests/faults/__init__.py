"""Faults at random moments of jobs that run in the background, and what must be true afterwards."""
