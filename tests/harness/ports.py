"""Free loopback ports."""

import random
import socket


def free(count: int) -> list[int]:
    """`count` different ports that nothing listens on.

    They lie below the range that the kernel hands out by itself, so a port that was free stays free between this call
    and the server's bind, and while the server is paused, unless another harness draws the same number.
    """
    ports: list[int] = []
    for port in random.SystemRandom().sample(range(20000, 32000), 2000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise RuntimeError("no free port between 20000 and 32000 on 127.0.0.1")


def listening(port: int) -> bool:
    """Whether something accepts connections on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
