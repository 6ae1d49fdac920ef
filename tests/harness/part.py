"""A real part that tests run against: processes, logs and a description under one folder, with an owner or without."""

import contextlib
import fcntl
import json
import os
import shutil
import sys
from pathlib import Path

from . import processes


class Part:
    """Everything under `state`. Each method of a subclass is one command of `script` and leaves a consistent folder."""

    def __init__(self, state: Path, script: Path, description: str):
        self.state = state.absolute()
        self.file = self.state / description
        self.script = script
        self.title = f"tests/{script.parent.name}"

    def end(self) -> None:
        """Ends the processes of this part in the order that they need. Each kind of part has its own."""
        raise NotImplementedError

    @contextlib.contextmanager
    def starting(self, owner: int | None, temporary: bool):
        """Around what starts everything: ends everything if one piece does not come up.

        The part ends when the process `owner` does; its folder goes too if it is `temporary`.
        """
        self.state.mkdir(parents=True, exist_ok=True)
        with self.locked():
            if self.running():
                sys.exit(f"{self.title}: {self.script.name} runs in {self.state} already; stop it first")
            try:
                (self.state / "run").mkdir(exist_ok=True)
                if owner:
                    self._spawn_keeper(owner, temporary)
                yield
            except BaseException:
                self._stop()
                raise

    def _spawn_keeper(self, owner: int, temporary: bool) -> None:
        """Lets a small process stop the part when its owner is gone, however it went."""
        identity = processes.Identity.of(owner)
        if identity is None:
            sys.exit(f"{self.title}: there is no process {owner} to own {self.state}")
        argv = [sys.executable, self.script, "keep", self.state, "--owner", identity]
        argv += ["--temporary"] if temporary else []
        processes.spawn(argv, self.state / "run/keeper.pid", self.state / "keeper.log")

    def keep(self, owner: processes.Identity, temporary: bool) -> None:
        """The keeper's life: waits for the owner's end."""
        while not processes.wait_until(lambda: not owner.alive(), 3600, every=0.5):
            pass
        with self.locked():
            self.end()
            (self.state / "run/keeper.pid").unlink(missing_ok=True)
        if temporary:
            os.chdir("/")
            shutil.rmtree(self.state)

    def stop(self) -> None:
        """Ends every process of the part. Does nothing where none runs. The files stay, for their logs."""
        if self.state.is_dir():
            with self.locked():
                self._stop()

    def _stop(self) -> None:
        processes.stop(self.state / "run/keeper.pid", 0.5)
        self.end()

    def spawn(self, name: str, argv: list, ready, env: dict | None = None, seconds: float = 120) -> None:
        """Starts one process and returns when `ready()` holds."""
        pid_file, log = self.state / f"run/{name}.pid", self.state / f"{name}.log"
        processes.spawn(argv, pid_file, log, env)
        up = processes.wait_until(lambda: not processes.recorded(pid_file) or ready(), seconds)
        if not processes.recorded(pid_file):
            sys.exit(f"{self.title}: {name} ended, see {log}:\n{processes.tail(log)}")
        if not up:
            sys.exit(f"{self.title}: {name} was not ready within {seconds} s, see {log}:\n{processes.tail(log)}")

    def running(self) -> dict[str, str]:
        """The processes of the part that live, by name."""
        found = {file.stem: processes.recorded(file) for file in sorted((self.state / "run").glob("*.pid"))}
        return {name: str(identity) for name, identity in found.items() if identity}

    def describe(self) -> dict:
        try:
            return json.loads(self.file.read_text())
        except FileNotFoundError:
            sys.exit(f"{self.title}: nothing was ever started in {self.state}")

    def write_description(self, described: dict) -> None:
        temporary = self.file.with_suffix(".new")
        temporary.touch(mode=0o600)
        temporary.write_text(json.dumps(described, indent=1) + "\n")
        temporary.rename(self.file)

    @contextlib.contextmanager
    def locked(self):
        """One command at a time in one folder."""
        descriptor = os.open(self.state, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
