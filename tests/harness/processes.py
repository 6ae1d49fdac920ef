"""Start, recognise and stop background processes.

A process is known by its pid AND its start time, so a pid that was given to somebody else is never signalled. Each
process that is started here leads a session of its own; what it forks stays in that session and is stopped with it.
"""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Identity:
    """A process: its pid and its start time in clock ticks since boot."""

    pid: int
    start: int

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """The live process with this pid. A zombie is not alive."""
        stat = _stat(pid)
        return cls(pid, stat["start"]) if stat and stat["state"] != "Z" else None

    def alive(self) -> bool:
        return Identity.of(self.pid) == self

    def __str__(self) -> str:
        return f"{self.pid}:{self.start}"


def _stat(pid: int) -> dict | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command may hold spaces and brackets (Ironic sets its title), so fields are counted after the last ")".
    fields = text.rpartition(")")[2].split()
    return {"state": fields[0], "session": int(fields[3]), "start": int(fields[19])}


def spawn(argv: list, pid_file: Path, log: Path, env: dict | None = None) -> Identity:
    """Starts a process in its own session, its output going to `log`, and records it in `pid_file`."""
    with log.open("ab") as out:
        child = subprocess.Popen(
            [str(arg) for arg in argv],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **(env or {})},
            cwd=pid_file.parent,
        )
    identity = Identity.of(child.pid)
    if identity is None:
        child.wait()
        raise RuntimeError(f"{argv[0]} ended at once, see {log}:\n{tail(log)}")
    pid_file.write_text(f"{identity.pid} {identity.start}\n")
    return identity


def recorded(pid_file: Path) -> Identity | None:
    """The live process that `pid_file` speaks of."""
    try:
        pid, start = pid_file.read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    identity = Identity(int(pid), int(start))
    return identity if identity.alive() else None


def session(pid_file: Path) -> list[Identity]:
    """Every live process of the session that the recorded process leads or led."""
    try:
        leader, start = map(int, pid_file.read_text().split())
    except (FileNotFoundError, ValueError):
        return []
    now = Identity.of(leader)
    if now and now.start != start:
        return []  # the pid went to a stranger: its session is not ours
    members = []
    for entry in os.listdir("/proc"):
        stat = _stat(int(entry)) if entry.isdigit() else None
        if stat and stat["session"] == leader and stat["state"] != "Z" and stat["start"] >= start:
            members.append(Identity(int(entry), stat["start"]))
    return members


def stop(pid_file: Path, grace: float) -> None:
    """Ends the recorded process and its session: SIGTERM to the leader, after `grace` seconds SIGKILL to the rest."""
    leader = recorded(pid_file)
    if leader:
        send(leader, signal.SIGCONT)  # a frozen process does not see SIGTERM
        send(leader, signal.SIGTERM)
        wait_until(lambda: not leader.alive(), grace)
    for _ in range(50):
        rest = session(pid_file)
        for member in rest:
            send(member, signal.SIGKILL)
        if not rest:
            break
        time.sleep(0.05)
    else:
        raise RuntimeError(f"processes of {pid_file.name} survive SIGKILL: {' '.join(map(str, rest))}")
    pid_file.unlink(missing_ok=True)


def send(identity: Identity, number: int) -> None:
    """Signals a process if it is still the one that was meant."""
    if identity.alive():
        try:
            os.kill(identity.pid, number)
            if number == signal.SIGKILL:
                _reap(identity.pid)
        except ProcessLookupError:
            pass


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass  # not our child: its parent reaps it


def wait_until(condition, seconds: float, every: float = 0.05) -> bool:
    """Asks until `condition()` holds; False when the time is over."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(every)
    return True


def tail(log: Path, lines: int = 8) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
