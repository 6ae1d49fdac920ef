"""Runs Ironic as its own `ironic` command does, with one change that only saves time.

For every connection to a BMC, Ironic 39 runs 600,000 rounds of PBKDF2 over the BMC's password to find the session in its
cache: 0.4 s of a core each, 40 s in the life of one Redfish node. The function is pure, so its results are remembered.
"""

import functools
import hashlib
import sys

hashlib.pbkdf2_hmac = functools.lru_cache(maxsize=4096)(hashlib.pbkdf2_hmac)

from ironic.command.singleprocess import main  # noqa: E402

sys.argv[0] = "ironic"
sys.exit(main())
