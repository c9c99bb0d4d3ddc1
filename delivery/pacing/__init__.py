"""Pacing: how many pushes may leave for a gateway, and when, counted once for all workers."""
