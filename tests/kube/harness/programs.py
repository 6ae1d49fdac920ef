"""The programs: etcd, the API server, its controllers, kubectl and Helm.

The servers come from $KUBEBUILDER_ASSETS where that is set, kubectl and Helm from there or the PATH. What is not there
is built by Go from the modules that go.mod and go.sum pin, once, into a cache outside the repository: the Go module
proxy is all that it needs, and every machine runs the same version. Each program appears by rename when it is
complete, so a build that was interrupted goes on with the next program.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from . import cache

KUBE = Path(__file__).resolve().parent.parent  # the modules of Kubernetes, and Helm's below


@dataclass(frozen=True)
class Program:
    name: str
    package: str
    modules: Path = KUBE
    server: bool = True  # one of this Kubernetes; a client may be any that is at hand
    needed: bool = True  # in $KUBEBUILDER_ASSETS too

    @property
    def cached(self) -> Path:
        digest = hashlib.sha256()
        for name in ("go.mod", "go.sum"):
            digest.update((self.modules / name).read_bytes())
        return cache.location() / f"{self.modules.name}-{digest.hexdigest()[:16]}/bin/{self.name}"

    def find(self) -> Path | None:
        """Where it is, if it is anywhere."""
        assets = os.environ.get("KUBEBUILDER_ASSETS")
        if assets and _runs(given := Path(assets).absolute() / self.name):
            return given
        if assets and self.server:
            return None  # one of another version beside the others would make tests speak of a mixture
        if not self.server and (found := shutil.which(self.name)):
            return Path(found).absolute()
        return self.cached if _runs(self.cached) else None


PROGRAMS = (
    Program("etcd", "go.etcd.io/etcd/server/v3"),
    Program("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    # envtest's folders hold none, and most tests need none.
    Program("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager", needed=False),
    Program("kubectl", "k8s.io/kubernetes/cmd/kubectl", server=False),
    Program("helm", "helm.sh/helm/v4/cmd/helm", KUBE / "helm", server=False),
)


def ensure() -> dict[str, Path | None]:
    """All programs by name, built first where they are missing. Null is what $KUBEBUILDER_ASSETS may lack."""
    if missing():
        with cache.locked("kube.lock"):
            if left := missing():
                _build(left, check(left))
    return {program.name: program.find() for program in PROGRAMS}


def missing() -> list[Program]:
    """What has to be built. Ends with a sentence where $KUBEBUILDER_ASSETS lacks what it must hold."""
    absent = [program for program in PROGRAMS if not program.find()]
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        lacks = [program.name for program in absent if program.server and program.needed]
        if lacks:
            sys.exit(
                f"tests/kube: KUBEBUILDER_ASSETS={assets} holds no {' and no '.join(lacks)}; "
                "put it there, or unset the variable to have all built"
            )
        return [program for program in absent if not program.server]
    return absent


def need_controllers() -> None:
    """Ends with a sentence where $KUBEBUILDER_ASSETS lacks what it may lack, for whom it must not."""
    if os.environ.get("KUBEBUILDER_ASSETS") and any(program.server and not program.find() for program in PROGRAMS):
        sys.exit(
            "tests/kube: KUBEBUILDER_ASSETS holds no kube-controller-manager, which `cluster start --controllers` "
            "needs; put one of the same version there, or unset the variable to have all built"
        )


def check(programs: list[Program]) -> str:
    """The version of the Go that can build these programs. Ends with a sentence where there is none."""
    needed = re.search(r"^go (\d+\.\d+)", (KUBE / "go.mod").read_text(), re.MULTILINE)[1]
    names = ", ".join(program.name for program in programs)
    wanted = f"install Go {needed} or newer, or set KUBEBUILDER_ASSETS to a folder that holds them"
    try:
        # In the folder of go.mod, where a Go that gets its own newer toolchain says which.
        asked = subprocess.run(["go", "env", "GOVERSION"], cwd=KUBE, capture_output=True, text=True)
    except FileNotFoundError:
        sys.exit(f"tests/kube: there is no `go` to build {names} with; {wanted}")
    found = re.match(r"go(\d+)\.(\d+)", asked.stdout)
    if not found or tuple(map(int, found.groups())) < tuple(map(int, needed.split("."))):
        said = (asked.stderr or asked.stdout).strip() or "a version that it does not tell"
        sys.exit(f"tests/kube: this `go` is too old to build {names} ({said}); {wanted}")
    return asked.stdout.strip()


def _build(programs: list[Program], go: str) -> None:
    started = time.monotonic()
    for stale in cache.location().glob("*/bin/*.building"):  # of a run that was killed: the lock says nobody builds
        shutil.rmtree(stale, ignore_errors=True)
    names = ", ".join(program.name for program in programs)
    _say(f"building {names} with {go}, once; on two cores all five take some ten minutes")
    for program in programs:
        begun = time.monotonic()
        _compile(program)
        _say(f"{program.name} built in {time.monotonic() - begun:.0f} s: {program.cached}")
    if len(programs) > 1:
        _say(f"all built in {time.monotonic() - started:.0f} s")


def _compile(program: Program) -> None:
    building = program.cached.with_name(f"{program.name}.{os.getpid()}.building")
    building.mkdir(parents=True)
    argv = ["go", "build", "-mod=readonly", "-trimpath", "-ldflags", _flags(), "-o", building / program.name]
    try:
        # GOTMPDIR: what a killed compiler leaves behind is found again here. GOWORK: no go.work further up counts.
        cache.run(*argv, program.package, cwd=program.modules, env={"GOTMPDIR": str(building), "GOWORK": "off"})
        (building / program.name).rename(program.cached)
    except cache.Failed as failed:
        sys.exit(f"tests/kube: cannot build {program.name}:\n{failed}")
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _flags() -> str:
    """Small programs that know their version: without it the API server calls itself v0.0.0."""
    version = re.search(r"k8s\.io/kubernetes (v\S+)", (KUBE / "go.mod").read_text())[1]
    major, minor, _ = version[1:].split(".")
    told = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return " ".join(["-s -w", *(f"-X k8s.io/component-base/version.{name}={value}" for name, value in told.items())])


def _runs(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _say(text: str) -> None:
    print(f"tests/kube: {text}", file=sys.stderr, flush=True)
