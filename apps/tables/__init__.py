"""Tables: Delta tables in catalog.schema.table, their versions, reads by ticket, writes committed by us, uploads and restore.

Nouns: catalog, schema, table, table version, staged write (files on their way to becoming a version), read ticket.
"""
