"""The virtualenv with Ironic and sushy-tools, kept in a cache outside the repository.

The folder's name holds a hash of the pins and of the Python that runs it.
"""

import hashlib
import os
import platform
import shutil
import sys
import time
from pathlib import Path

from . import cache

PINS = Path(__file__).resolve().parent.parent
SCHEMA = "ironic-schema.sqlite"


def location() -> Path:
    """Where the virtualenv for these pins and this Python is or will be."""
    digest = hashlib.sha256()
    for name in ("requirements.txt", "constraints.txt"):
        digest.update((PINS / name).read_bytes())
    digest.update(f"{sys.version} {platform.machine()}".encode())
    return cache.location() / f"ironic-{digest.hexdigest()[:16]}"


def ensure() -> Path:
    """The virtualenv, built first if it is not there."""
    target = location()
    if target.is_dir():
        return target
    with cache.locked("lock"):
        if not target.is_dir():
            _build(target)
    return target


def _build(target: Path) -> None:
    started = time.monotonic()
    for stale in target.parent.glob("ironic-*.building"):  # of a run that was killed: the lock says nobody builds
        shutil.rmtree(stale, ignore_errors=True)
    wanted = [line for line in (PINS / "requirements.txt").read_text().split("\n") if line and line[0] != "#"]
    _say(f"installing {', '.join(wanted)} and what they need into {target} (about 350 MB, under a minute)")
    building = target.with_name(f"{target.name}.{os.getpid()}.building")
    try:
        _run(
            "make a virtualenv (on Debian this needs the package python3-venv)", sys.executable, "-m", "venv", building
        )
        _run(
            "install the pinned packages",
            building / "bin/python",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-input",
            "--disable-pip-version-check",
            "--only-binary",
            ":all:",
            "-r",
            PINS / "requirements.txt",
            "-c",
            PINS / "constraints.txt",
        )
        _schema(building)
        building.rename(target)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    _say(f"installed in {time.monotonic() - started:.0f} s")


def _schema(venv: Path) -> None:
    """An empty Ironic database to copy: creating the schema takes 3 s, a copy nothing.

    `create_schema`, because `upgrade` of an empty SQLite file fails on ALTER of constraints and leaves half a database.
    """
    conf = venv / "schema.conf"
    conf.write_text(f"[database]\nconnection = sqlite:///{venv / SCHEMA}\n")
    dbsync = venv / "bin/ironic-dbsync"
    _run("create Ironic's database schema", venv / "bin/python", dbsync, "--config-file", conf, "create_schema")


def _run(what: str, *argv) -> None:
    try:
        cache.run(*argv)
    except cache.Failed as failed:
        sys.exit(f"tests/ironic: cannot {what}:\n{failed}")


def _say(text: str) -> None:
    print(f"tests/ironic: {text}", file=sys.stderr, flush=True)
