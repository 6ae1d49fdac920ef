"""The real-Kubernetes harness: etcd, an API server and, on demand, controllers on loopback.

Everything here is Python's standard library. Only Linux is supported: processes are told apart through /proc.
"""

import sys
from pathlib import Path

if sys.version_info < (3, 11):
    sys.exit("tests/kube needs Python 3.11 or newer, this is %d.%d (%s)" % (*sys.version_info[:2], sys.executable))

# The harness runs from a source tree: leave no __pycache__ in it.
sys.dont_write_bytecode = True

# What every real part is started with lies in tests/harness, and is found as if it lay here.
__path__.append(str(Path(__file__).resolve().parent.parent.parent / "harness"))
