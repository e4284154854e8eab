"""A load generator in a process of its own: keeps connections busy, or sends at a fixed rate.

Prints JSON: answers a second, latency percentiles in milliseconds, and how many were no 2xx. At a
fixed rate latency counts from when a request was due, so a server that stalls cannot hide it.
"""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit


async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bool:
    """Send a request and read its answer; whether it was a 2xx."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    await reader.readexactly(length)
    return head[9:10] == b"2"


async def run(
    url: str, request: bytes, connections: int, seconds: float, rate: float
) -> dict[str, float]:
    """Load `url` for some seconds; `rate` requests a second, or as many as go where 0."""
    there = urlsplit(url)
    took: list[float] = []
    failed = 0
    begun = time.perf_counter()
    sent = 0

    async def connection() -> None:
        nonlocal failed, sent
        reader, writer = await asyncio.open_connection(there.hostname, there.port)
        while time.perf_counter() - begun < seconds:
            due = begun + sent / rate if rate else time.perf_counter()
            sent += 1
            if rate and (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            failed += not await one(reader, writer, request)
            took.append(time.perf_counter() - due)
        writer.close()

    await asyncio.gather(*(connection() for _ in range(connections)))
    elapsed = time.perf_counter() - begun
    took.sort()

    def percentile(share: float) -> float:
        return 1000 * took[min(int(share * len(took)), len(took) - 1)]

    return {
        "answers": len(took),
        "per_second": len(took) / elapsed,
        "p50": percentile(0.5),
        "p99": percentile(0.99),
        "failed": failed,
    }


def main() -> None:
    """Read what to send from a file and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("body", type=Path)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=float, default=0)
    asked = parser.parse_args()
    body, there = asked.body.read_bytes(), urlsplit(asked.url)
    path = there.path + (f"?{there.query}" if there.query else "")
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {there.netloc}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    request = head.encode() + body
    told = asyncio.run(run(asked.url, request, asked.connections, asked.seconds, asked.rate))
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
