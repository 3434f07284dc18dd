"""One installation on one machine: its home, its database and queue, and the processes that it runs."""
