"""Which thing was read or written by which activity: recorded by the act of reading and writing, never declared.

Nouns: node (a thing or activity at a version), edge (what went into what), redaction.
"""
