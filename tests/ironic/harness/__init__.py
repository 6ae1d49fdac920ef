"""The real-Ironic harness: one all-in-one Ironic, Redfish BMC emulators and stand-in agents on loopback.

Everything here is Python's standard library, except `bmc_server`, `mkisofs` and `certificate`, which run inside the
virtualenv that `venv` makes. Only Linux is supported: processes are told apart through /proc.
"""

import sys
from pathlib import Path

if sys.version_info < (3, 11):
    sys.exit("tests/ironic needs Python 3.11 or newer, this is %d.%d (%s)" % (*sys.version_info[:2], sys.executable))

# The harness runs from a source tree: leave no __pycache__ in it.
sys.dont_write_bytecode = True

# What every real part is started with lies in tests/harness, and is found as if it lay here.
__path__.append(str(Path(__file__).resolve().parent.parent.parent / "harness"))
