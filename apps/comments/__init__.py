"""Talk about anything: threads of comments on a resource or on a part of it (a version, a run, a line, a row, a point of a chart).

Nouns: thread, comment (one message, with its earlier texts), mention, reaction, anchor (the place within a resource).
"""
