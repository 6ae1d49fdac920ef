"""The small images that nodes are deployed from, with their checksums. Nothing boots them."""

import hashlib
import struct
from pathlib import Path


def _raw(name: str) -> bytes:
    """64 KiB with a boot signature, different for each name."""
    seed = hashlib.sha256(name.encode()).digest()
    return (seed * 2048)[:510] + b"\x55\xaa" + (seed * 2048)[512:]


def _qcow2(name: str) -> bytes:
    """A valid, empty qcow2 (version 2) disk of 64 MiB; the name makes it differ from others."""
    cluster_bits, size = 16, 64 << 20
    cluster = 1 << cluster_bits
    header = struct.pack(
        ">4sIQIIQIIQQIIQ", b"QFI\xfb", 2, 0, 0, cluster_bits, size, 0, 1, 3 * cluster, cluster, 1, 0, 0
    )
    refcounts = struct.pack(">Q", 2 * cluster)
    blocks = struct.pack(">HHHH", 1, 1, 1, 1)
    disk = b"".join(part.ljust(cluster, b"\0") for part in (header, refcounts, blocks, b""))
    return disk + name.encode().ljust(512, b"\0")


def write(folder: Path, url: str) -> list[dict]:
    """Writes the images into `folder`, which `url` serves, and describes them."""
    described = []
    for name, kind, content in (
        ("one.qcow2", "qcow2", _qcow2("one")),
        ("two.qcow2", "qcow2", _qcow2("two")),
        ("three.raw", "raw", _raw("three")),
        ("live.iso", "live-iso", b"\0" * 32768 + b"\x01CD001\x01".ljust(32768, b"\0")),
    ):
        (folder / name).write_bytes(content)
        sums = {kind: hashlib.new(kind, content).hexdigest() for kind in ("md5", "sha256", "sha512")}
        for algorithm, value in sums.items():
            (folder / f"{name}.{algorithm}").write_text(f"{value}  {name}\n")
        described.append(
            {"name": name, "format": kind, "url": f"{url}/{name}", **sums, "checksum_url": f"{url}/{name}.sha256"}
        )
    return described
