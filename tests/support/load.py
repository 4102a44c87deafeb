"""HTTP/1.1 load on a loopback port, over raw sockets: two cores must do for both sides."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

# A request that takes longer is lost: every time-out of a service is shorter.
LOST_AFTER_SECONDS = 30


@dataclass
class Outcome:
    """What became of the requests: answers by status, and those that got no whole answer."""

    statuses: Counter[int] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)


def post(path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """Return a request, ready to be sent."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def send(port: int, requests: Iterable[bytes], *, connections: int = 32) -> Outcome:
    """Send *requests* over keep-alive connections, each as soon as its predecessor is answered."""
    outcome = Outcome()

    async def clients() -> None:
        shared = iter(requests)
        await asyncio.gather(*(_client(port, shared, outcome) for _ in range(connections)))

    asyncio.run(clients())
    return outcome


async def _client(port: int, requests: Iterator[bytes], outcome: Outcome) -> None:
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    for request in requests:
        try:
            async with asyncio.timeout(LOST_AFTER_SECONDS):
                if connection is None:
                    connection = await asyncio.open_connection("127.0.0.1", port)
                status, reusable = await _exchange(*connection, request)
        except (OSError, EOFError) as error:
            outcome.lost.append(repr(error))
            reusable = False
        else:
            outcome.statuses[status] += 1
        if connection is not None and not reusable:
            connection[1].close()
            connection = None
    if connection is not None:
        connection[1].close()


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> tuple[int, bool]:
    """Return the answer's status, and whether the connection may be used again."""
    writer.write(request)
    status_line, *lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    headers = dict(line.lower().split(b": ", 1) for line in lines if line)
    await reader.readexactly(int(headers[b"content-length"]))
    return int(status_line.split(b" ")[1]), headers.get(b"connection") != b"close"
