# SPDX-License-Identifier: MIT
"""What scripts/vm and scripts/test are made of."""

import os

SCRIPTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(SCRIPTS)
BUILD = os.path.join(ROOT, "build")
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "vshare")


class Error(Exception):
    """Something the user can do something about; the text says what."""
