"""Benchmarks against limits and peers, run by hand: see README.md."""
