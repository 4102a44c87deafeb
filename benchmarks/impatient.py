"""Clients that give up after a second and ask again at once; prints what became of it as JSON."""

import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path

CLIENTS = 512
PATIENCE_SECONDS = 1.0
# After a refusal; whoever gave up asks again at once.
PAUSE_SECONDS = 0.1


async def ask(port: int, requests: list[bytes], number: int, until: float) -> Counter[str]:
    """Be one client until the time is over."""
    outcomes: Counter[str] = Counter()
    reader, writer = None, None
    while time.monotonic() < until:
        number += 1
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                if reader is None or writer is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(requests[number % len(requests)])
                head = await reader.readuntil(b"\r\n\r\n")
                size = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(size))
            outcome = head.split(b" ", 2)[1].decode()
        except (OSError, EOFError, TimeoutError) as error:
            outcome = type(error).__name__
            if writer is not None:
                writer.transport.abort()
            reader = writer = None
        outcomes[outcome] += 1
        if outcome == "503":
            await asyncio.sleep(PAUSE_SECONDS)
    if writer is not None:
        writer.transport.abort()
    return outcomes


async def crowd(port: int, path: str, bodies: list[bytes], seconds: float) -> dict[str, int]:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    requests = [b"%bContent-Length: %d\r\n\r\n%b" % (head.encode(), len(b), b) for b in bodies]
    until = time.monotonic() + seconds
    total: Counter[str] = Counter()
    clients = (ask(port, requests, number * 7, until) for number in range(CLIENTS))
    for outcomes in await asyncio.gather(*clients):
        total += outcomes
    return dict(total)


def main() -> None:
    port, path, bodies, seconds = sys.argv[1:]
    lines = Path(bodies).read_bytes().splitlines()
    print(json.dumps(asyncio.run(crowd(int(port), path, lines, float(seconds)))))


if __name__ == "__main__":
    main()
