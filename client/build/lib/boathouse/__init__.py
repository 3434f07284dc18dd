"""Read and write tables of a Boathouse workspace, and call its API."""

from boathouse.connection import BoathouseError, Client
from boathouse.reading import read_batches, read_table
from boathouse.writing import WrittenVersion, write_table

__all__ = ["BoathouseError", "Client", "WrittenVersion", "read_batches", "read_table", "write_table"]
__version__ = "0.1.0"
