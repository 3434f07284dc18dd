"""Who may do what to whose things, and who did.

Nouns: workspace, person, group, service principal, token, session, resource, grant, level, audit entry, storage location.
"""
