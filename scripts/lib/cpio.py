# SPDX-License-Identifier: MIT
"""Writes cpio archives that the kernel unpacks as its root file system.

Written here rather than with cpio(1) because device nodes then need no root,
and nothing has to be copied into place first.
"""

import os
import stat


class Archive:
    """A "newc" archive, written to @out as entries are added."""

    def __init__(self, out):
        self._out = out
        self._seen = set()
        self._ino = 0

    def _entry(self, name, mode, data=b"", rdev=(0, 0)):
        self._ino += 1
        raw = name.encode() + b"\0"
        fields = (self._ino, mode, 0, 0, 1, 0, len(data), 0, 0, *rdev, len(raw), 0)
        head = b"070701" + b"".join(b"%08X" % f for f in fields) + raw
        self._out.write(head + bytes(-len(head) % 4))
        self._out.write(data)
        self._out.write(bytes(-len(data) % 4))

    def _parents(self, name):
        """The kernel makes no directory that was not listed first."""
        parent = os.path.dirname(name)
        if parent and parent not in self._seen:
            self.directory(parent)

    def _add(self, name, *args, **kwargs):
        name = name.strip("/")
        if name in self._seen:
            return
        self._parents(name)
        self._seen.add(name)
        self._entry(name, *args, **kwargs)

    def directory(self, name, mode=0o755):
        self._add(name, stat.S_IFDIR | mode)

    def symlink(self, name, target):
        self._add(name, stat.S_IFLNK | 0o777, target.encode())

    def file(self, name, data, mode=0o644):
        self._add(name, stat.S_IFREG | mode, data)

    def chardev(self, name, major, minor, mode=0o600):
        self._add(name, stat.S_IFCHR | mode, rdev=(major, minor))

    def close(self):
        self._entry("TRAILER!!!", 0)
        # The next archive, or the end of the image, starts at a multiple of 512.
        self._out.write(bytes(-self._out.tell() % 512))
