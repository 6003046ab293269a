# SPDX-License-Identifier: MIT
"""What there is to run: tests, deliberate bugs and the modules themselves."""

import collections
import dataclasses
import fnmatch
import os
import shlex
import subprocess

from . import BUILD, ROOT, Error

TESTS = os.path.join(ROOT, "igt-tests")
MUTANTS = os.path.join(TESTS, "mutants")

# Exit status of a libigt test whose assertion failed.
IGT_FAILURE = 98

# Done by scripts/guest/module-tests, each from "loaded and idle" back to it.
UNLOAD = "/usr/lib/vshare/module-tests unload"
MODULE_TESTS = ("reload-10", "busy-vexport", "busy-vimport", "busy-dmabuf")

# The same of scripts/guest/vshare-tests.
VSHARE_TESTS = ("run-heap", "run-fd", "run-status", "run-signal", "run-nothing", "run-stale",
                "run-refused", "list", "errors")


@dataclasses.dataclass
class Item:
    """One subtest."""
    name: str                   # group@subtest or mutant@bug@subtest
    command: str                # for the guest's shell
    limit: int                  # seconds
    must_fail: bool = False     # a deliberate bug that the subtest has to notice
    fresh_boot: bool = False    # do not go on in the same boot if it failed


@dataclasses.dataclass
class Group:
    """Subtests that share how the modules are loaded."""
    name: str
    vimport: str = ""                   # parameters of the module
    shared: bool = False                # may be spread over several guests
    items: collections.deque = dataclasses.field(default_factory=collections.deque)

    def setup(self):
        return ["modprobe vexport", f"modprobe vimport {self.vimport}".strip()]


def selected(name, patterns):
    """Does one of @patterns name the subtest @name, or the group it is in?"""
    return not patterns or any(
        fnmatch.fnmatchcase(name if "@" in pattern else name.split("@")[0], pattern)
        for pattern in patterns)


def binaries():
    """Names of the IGT tests, from the Makefile that builds them."""
    run = subprocess.run(["make", "-s", "--no-print-directory", "-C", TESTS, "list"], text=True,
                         stdout=subprocess.PIPE, check=False)
    if run.returncode:
        raise Error("igt-tests/Makefile cannot list its tests")
    return run.stdout.split()


def subtests(command):
    """Subtests of a test, asked from the binary itself: listing needs no device."""
    path = os.path.join(BUILD, "igt", command[0])
    if not os.path.exists(path):
        raise Error(f"{command[0]} is not built; run make igt-tests")
    run = subprocess.run([path, *command[1:], "--list-subtests"], text=True, check=False,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    names = run.stdout.split()
    if run.returncode or not names:
        raise Error(f"{' '.join(command)} --list-subtests: exit status {run.returncode}, "
                    f"{len(names)} subtests\n{run.stderr}")
    return names


def plain(patterns, limit):
    """The IGT tests and those of the modules and the command, on a correct importer."""
    group = Group("plain", shared=True)
    # First, because reloading takes longest, and then does not keep everybody waiting.
    for about, names in (("module", MODULE_TESTS), ("vshare", VSHARE_TESTS)):
        for name in names:
            if selected(f"{about}@{name}", patterns):
                group.items.append(Item(f"{about}@{name}",
                                        f"/usr/lib/vshare/{about}-tests {name}",
                                        max(limit, 60), fresh_boot=True))
    for binary in binaries():
        # Do not even list a test that no pattern can select.
        if patterns and not any(fnmatch.fnmatchcase(binary, p.split("@")[0]) for p in patterns):
            continue
        for subtest in subtests([binary]):
            name = f"{binary}@{subtest}"
            if selected(name, patterns):
                group.items.append(Item(name, f"{binary} --run-subtest {subtest}", limit))
    return group


def mutants(patterns, limit):
    """One group for each line of igt-tests/mutants; each gets a boot of its own."""
    groups = []
    if not os.path.exists(MUTANTS):
        return groups
    with open(MUTANTS, encoding="utf-8") as table:
        for number, line in enumerate(table, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            fields = [field.strip() for field in line.split("|")]
            if len(fields) != 4:
                raise Error(f"igt-tests/mutants:{number}: four fields, "
                            f"'name | vimport parameters | command | subtests', are needed")
            bug, vimport, command, wanted = fields
            if not selected(f"mutant@{bug}", [p for p in patterns if p.count("@") < 2]) \
                    and not any(p.count("@") == 2 for p in patterns):
                continue
            groups.append(_mutant(bug, vimport, shlex.split(command), wanted.split(","),
                                  patterns, limit, f"igt-tests/mutants:{number}"))
    return [group for group in groups if group.items]


def _mutant(bug, vimport, command, wanted, patterns, limit, where):
    group = Group(f"mutant {bug}", vimport)
    names = subtests(command)
    for pattern in wanted:
        pattern = pattern.strip()
        matching = fnmatch.filter(names, pattern)
        if not matching:
            raise Error(f"{where}: {command[0]} has no subtest '{pattern}'")
        for subtest in matching:
            name = f"mutant@{bug}@{subtest}"
            if selected(name, patterns) and name not in (item.name for item in group.items):
                group.items.append(Item(name, f"{shlex.join(command)} --run-subtest {subtest}",
                                        limit, must_fail=True))
    return group


def allowed_skips(lane):
    """[(pattern, reason)] of the subtests that may skip on @lane."""
    skips = []
    path = os.path.join(TESTS, "skips", lane)
    if os.path.exists(path):
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                pattern, _, reason = line.split("#")[0].strip().partition(" ")
                if pattern:
                    skips.append((pattern, reason.strip()))
    return skips
