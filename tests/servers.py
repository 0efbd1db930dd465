"""Servers that a test starts, each the real thing on a port of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Before pytester notes what is imported, and later forgets the rest: imported twice in one process, it serves nobody.
with contextlib.suppress(ImportError):
    import sshfs  # noqa: F401

USER, PASSWORD = "ci", "hunter2"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Server:
    """Where a server is, and what a client has to know."""

    url: str  #: Of the folder that it serves, with user and password.
    folder: Path
    environ: dict[str, str]  #: With which fsspec trusts it.


@contextlib.contextmanager
def sftp(folder: Path, keys: Path) -> Iterator[Server]:
    """An SSH server that lets ``USER`` with ``PASSWORD`` into ``folder`` by sftp; its known_hosts is among ``keys``."""
    import asyncssh

    connections: list[asyncssh.SSHServerConnection] = []

    class Login(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            connections.append(conn)

        def begin_auth(self, username: str) -> bool:
            return True

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == (USER, PASSWORD)

    def files(channel: asyncssh.SSHServerChannel[bytes]) -> asyncssh.SFTPServer:
        return asyncssh.SFTPServer(channel, chroot=str(folder).encode())

    key = asyncssh.generate_private_key("ssh-ed25519")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> asyncssh.SSHAcceptor:
        return await asyncssh.create_server(Login, "127.0.0.1", 0, server_host_keys=[key], sftp_factory=files)

    async def stop() -> None:
        server.close()
        for (
            connection
        ) in connections:  # of clients that are still there; a socket that is left is a warning of any test
            connection.abort()
            await connection.wait_closed()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    server = asyncio.run_coroutine_threadsafe(start(), loop).result(30)
    try:
        port = server.get_port()
        known = keys / "known_hosts"
        known.write_text(f"[127.0.0.1]:{port} {key.export_public_key().decode()}")
        environ = {"FSSPEC_SFTP_KNOWN_HOSTS": str(known)}
        yield Server(url=f"sftp://{USER}:{PASSWORD}@127.0.0.1:{port}/stored", folder=folder / "stored", environ=environ)
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextlib.contextmanager
def s3(bucket: str) -> Iterator[Server]:
    """A server of S3 with one empty bucket."""
    import s3fs
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        environ = {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": USER,
            "AWS_SECRET_ACCESS_KEY": PASSWORD,
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        known = s3fs.S3FileSystem(
            key=USER, secret=PASSWORD, endpoint_url=environ["AWS_ENDPOINT_URL"], skip_instance_cache=True
        )
        known.mkdir(bucket)
        yield Server(url=f"s3://{bucket}/stored", folder=Path(bucket), environ=environ)
    finally:
        server.stop()
