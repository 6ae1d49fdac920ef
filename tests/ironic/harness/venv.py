"""The virtualenv with Ironic and sushy-tools, kept in a cache outside the repository.

The folder's name holds a hash of the pins and of the Python that runs it, so a change of either makes a new one and
old ones can simply be deleted. It appears by rename when it is complete; a lock keeps two runs from building it twice.
"""

import ctypes
import fcntl
import hashlib
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

PINS = Path(__file__).resolve().parent.parent
SCHEMA = "ironic-schema.sqlite"


def cache() -> Path:
    given = os.environ.get("METALFORM_TEST_CACHE")
    if given:
        return Path(given).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "metalform-tests"


def location() -> Path:
    """Where the virtualenv for these pins and this Python is or will be."""
    digest = hashlib.sha256()
    for name in ("requirements.txt", "constraints.txt"):
        digest.update((PINS / name).read_bytes())
    digest.update(f"{sys.version} {platform.machine()}".encode())
    return cache() / f"ironic-{digest.hexdigest()[:16]}"


def ensure() -> Path:
    """The virtualenv, built first if it is not there."""
    target = location()
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            _build(target)
    return target


def _build(target: Path) -> None:
    started = time.monotonic()
    for stale in target.parent.glob("*.building"):  # of a run that was killed; the lock says that nobody builds now
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
    done = subprocess.run(
        [str(arg) for arg in argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=_end_with_parent,
    )
    if done.returncode != 0:
        sys.exit(f"tests/ironic: cannot {what}:\n{done.stdout.strip()}")


def _end_with_parent() -> None:
    """A pip that outlived a killed install would go on writing beside the next one."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _say(text: str) -> None:
    print(f"tests/ironic: {text}", file=sys.stderr, flush=True)
