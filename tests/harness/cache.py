"""The cache of what the real parts are made of, outside the repository, and what fills it.

A name in the cache holds a hash of the pins it was made from, so a change of these makes a new one and old ones can
simply be deleted. What is made appears by rename when it is complete.
"""

import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
from pathlib import Path


def location() -> Path:
    given = os.environ.get("METALFORM_TEST_CACHE")
    if given:
        return Path(given).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "metalform-tests"


@contextlib.contextmanager
def locked(name: str):
    """Keeps two runs from making the same thing twice."""
    location().mkdir(parents=True, exist_ok=True)
    with (location() / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Failed(Exception):
    """A command that ended with an error; its text is the command's output."""


def run(*argv, cwd: Path | None = None, env: dict | None = None) -> str:
    """Runs a command to its end and returns its output. It and what it started end with this process."""
    child = subprocess.Popen(
        [str(arg) for arg in argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        process_group=0,
        preexec_fn=_end_with_parent,
    )
    try:
        output, _ = child.communicate()
    finally:
        if child.poll() is None:  # interrupted
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    if child.returncode != 0:
        raise Failed(output.strip())
    return output


def _end_with_parent() -> None:
    """A pip or a compiler that outlived a killed install would go on writing beside the next one."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
