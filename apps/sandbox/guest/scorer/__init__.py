"""The scorer: a guest that holds one model version and answers batches of rows over a Unix socket."""
