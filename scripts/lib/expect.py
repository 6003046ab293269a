# SPDX-License-Identifier: MIT
"""What a lane's kernel makes different, from igt-tests/expect/LANE."""

import fnmatch
import os

from . import Error, plan


class Expectations:
    """Skips that have to come, and messages that are not ours."""

    def __init__(self, lane, text=None):
        path = os.path.join(plan.TESTS, "expect", lane)
        if text is None:
            if not os.path.exists(path):
                raise Error(f"{path} is missing: every lane has a table of expectations")
            with open(path, encoding="utf-8") as table:
                text = table.read()
        self._skips = []
        self.messages = set()
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            fields = [field.strip() for field in line.split("|")]
            if len(fields) != 3 or not all(fields) or fields[0] not in ("skip", "message"):
                raise Error(f"igt-tests/expect/{lane}:{number}: 'skip | subtest | reason' or "
                            f"'message | exact text | reason' is needed")
            if fields[0] == "skip":
                self._skips.append((fields[1], fields[2]))
            else:
                self.messages.add(fields[1])

    def skip(self, name):
        """Why the subtest @name has to skip, or None if it must not."""
        for pattern, reason in self._skips:
            if fnmatch.fnmatchcase(name, pattern):
                return reason
        return None
