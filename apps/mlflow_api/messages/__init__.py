"""Shapes of the requests, by group. Answers are built in `translate`."""
