"""Starts, watches and stops isolated processes for guest code: jobs, scorers, parsers of uploaded files.

Nouns: guest, guest spec, launcher, keeper, door, environment.
"""
