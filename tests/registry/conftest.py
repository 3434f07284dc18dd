"""A live server for the tests of this folder."""

from tests.registry.live import live, server_port

__all__ = ["live", "server_port"]
