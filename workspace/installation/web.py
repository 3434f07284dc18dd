"""One web process: uvicorn over the listening sockets that it inherits."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys

import uvicorn

from workspace.env import env
from workspace.installation import notify

_ALIVE_EVERY_SECONDS = 5


def config() -> uvicorn.Config:
    """How uvicorn is run: no trust in what a client says about where it comes from, unless a proxy is named."""
    return uvicorn.Config(
        "workspace.asgi:application",
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(env.trusted_proxies),
        forwarded_allow_ips=env.trusted_proxies or None,
        backlog=2048,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=10,
    )


class Server(uvicorn.Server):
    """Ends the streams that are open before it waits for what is being answered: they would never end by themselves."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        from apps.notifications.stream import end_streams

        end_streams()
        await super().shutdown(sockets)


async def serve(sockets: list[socket.socket]) -> None:
    """Serve until told to stop; requests that have begun are finished first."""
    server = Server(config())
    alive = asyncio.create_task(_tell_alive(server))
    await server.serve(sockets=sockets)
    alive.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await alive


async def _tell_alive(server: uvicorn.Server) -> None:
    while not server.started:
        await asyncio.sleep(0.02)
    notify.tell("READY=1")
    while True:
        await asyncio.sleep(_ALIVE_EVERY_SECONDS)
        notify.tell("WATCHDOG=1")


def main(fds: list[str]) -> None:
    """Serve the sockets with these file descriptors."""
    sockets = [socket.socket(fileno=int(fd)) for fd in fds]
    with asyncio.Runner(loop_factory=config().get_loop_factory()) as runner:
        runner.run(serve(sockets))


if __name__ == "__main__":
    main(sys.argv[1:])
