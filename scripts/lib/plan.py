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
PARAMETERS = os.path.join(TESTS, "parameters")

# What a module has to be loaded with before it lets itself be told to do wrong.
MISBEHAVE = "misbehave=1"

# Done by scripts/guest/module-tests, each from "loaded and idle" back to it.
MODULE_TESTS = ("reload-10", "busy-vexport", "busy-vimport", "busy-dmabuf")

UNLOAD = "/usr/lib/vshare/module-tests unload"

# The same of scripts/guest/vshare-tests.
VSHARE_TESTS = ("run-heap", "run-gpu", "run-fd", "run-storm", "run-seed", "run-status",
                "run-signal", "run-nothing", "run-json", "run-stale", "run-broken", "run-like",
                "run-like-whom", "run-as-heap", "run-refused", "trace-stale", "query",
                "query-stale", "verdict", "verdict-bad", "move", "revoke", "revoke-late", "storm",
                "other-process", "list", "help", "errors", "errors-values", "probe-udmabuf",
                "probe-heap", "probe-dumb", "probe-vexport", "probe-commands", "probe-later",
                "probe-others", "probe-broken", "probe-refused", "bench")


@dataclasses.dataclass
class Item:
    """One subtest."""
    name: str                   # group@subtest or mutant@bug@subtest
    subtest: str = ""           # what the test itself calls it
    must_fail: bool = False     # a deliberate bug that the subtest has to notice
    complaint: str = ""         # what the kernel has to say about that bug, or nothing
    rule: str = ""              # of docs/contract.rst, which it breaks
    clean: str = ""             # the subtest without it


@dataclasses.dataclass
class Batch:
    """Subtests that one process runs: those of an IGT test, or a command that is one."""
    name: str
    command: str                # for the guest's shell
    items: list
    igt: bool = True
    fresh_boot: bool = False    # do not go on in the same boot if it failed

    def line(self):
        """The command that runs what is left of the batch."""
        if not self.igt:
            return self.command
        names = ",".join(item.subtest for item in self.items)
        return f"{self.command} --run-subtest {names}"


@dataclasses.dataclass
class Group:
    """Batches that share how the modules are loaded."""
    name: str
    vimport: str = ""                   # parameters of the module
    vexport: str = ""                   # the same
    shared: bool = False                # may be spread over several guests
    one_shot: bool = False              # the kernel is not worth a look afterwards
    patching: bool = False              # has the kernel patch its text
    batches: collections.deque = dataclasses.field(default_factory=collections.deque)

    def setup(self):
        return [f"modprobe vexport {self.vexport}".strip(),
                f"modprobe vimport {self.vimport}".strip()]


def step(name, command):
    """A command of the runner's own, which counts as a subtest."""
    return Batch(name, command, [Item(name)], igt=False, fresh_boot=True)


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


def parameters():
    """{test: how it wants vexport and vimport to be loaded}, for those that care."""
    names = binaries()
    wanted = {}
    with open(PARAMETERS, encoding="utf-8") as table:
        for number, line in enumerate(table, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            fields = [field.strip() for field in line.split("|")]
            if len(fields) != 3 or not any(fields[1:]) or fields[0] not in names:
                raise Error(f"igt-tests/parameters:{number}: 'test | parameters of vexport | "
                            f"of vimport', the test one of igt-tests/Makefile, is needed")
            wanted[fields[0]] = (fields[1], fields[2])
    return wanted


def plain(patterns, patching):
    """The IGT tests and those of the modules and the command, on a correct importer.

    @patching: those that need a guest whose kernel may patch its text.
    """
    groups = {("", "", False): Group("plain", shared=True)}
    wanted = parameters()

    def add(name, batch):
        key = vexport, vimport, patches = *wanted.get(name, ("", "")), name in patching
        groups.setdefault(key, Group(f"vexport {vexport} vimport {vimport}", vimport, vexport,
                                     shared=True, patching=patches)).batches.append(batch)

    # First, because reloading takes longest, and then does not keep everybody waiting.
    for about, names in (("module", MODULE_TESTS), ("vshare", VSHARE_TESTS)):
        for name in names:
            if selected(f"{about}@{name}", patterns):
                add(f"{about}@{name}", Batch(about, f"/usr/lib/vshare/{about}-tests {name}",
                                             [Item(f"{about}@{name}", name)], igt=False,
                                             fresh_boot=True))
    for binary in binaries():
        # Do not even list a test that no pattern can select.
        if patterns and not any(fnmatch.fnmatchcase(binary, p.split("@")[0]) for p in patterns):
            continue
        items = [Item(f"{binary}@{subtest}", subtest) for subtest in subtests([binary])
                 if selected(f"{binary}@{subtest}", patterns)]
        if items:
            add(binary, Batch(binary, binary, items))
    return [group for group in groups.values() if group.batches]


def mutants(patterns, lane):
    """Deliberate bugs, grouped by how the modules are loaded for them."""
    groups = {}
    wanted = parameters()
    with open(MUTANTS, encoding="utf-8") as table:
        for number, line in enumerate(table, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            fields = [field.strip() for field in line.split("|")]
            if len(fields) != 7 or fields[3] not in ("vexport", "vimport"):
                raise Error(f"igt-tests/mutants:{number}: seven fields, 'name | rule | lanes | "
                            f"module | command | subtests | complaint', are needed")
            bug, rule, lanes, module = fields[:4]
            if lane not in lanes.split(","):
                continue
            if not selected(f"mutant@{bug}", [p for p in patterns if p.count("@") < 2]) \
                    and not any(p.count("@") == 2 for p in patterns):
                continue
            for batch in _mutant(bug, rule, *fields[4:], patterns, lane,
                                 f"igt-tests/mutants:{number}"):
                # The lock checker gives up after its first report, so a boot for each.
                key = batch.items[0].name if fields[6] else ""
                vexport, vimport = wanted.get(shlex.split(fields[4])[0], ("", ""))
                if module == "vexport":
                    vexport = MISBEHAVE
                else:
                    vimport = MISBEHAVE
                group = groups.setdefault((vimport, vexport, key),
                                          Group(f"mutant {bug}", vimport, vexport,
                                                one_shot=bool(key)))
                group.batches.append(batch)
    return list(groups.values())


def _mutant(bug, rule, command, wanted, complaint, patterns, lane, where):
    binary = shlex.split(command)[0]
    names = subtests(shlex.split(command))
    batches = {}
    for pattern in wanted.split(","):
        pattern = pattern.strip()
        matching = fnmatch.filter(names, pattern)
        if not matching:
            raise Error(f"{where}: {binary} has no subtest '{pattern}'")
        # That each of them can fail is seen on one lane. On the others it is the bug that
        # counts, and to start a process for each takes longer there than to run it.
        for subtest in matching if lane == "stock" else matching[:1]:
            name = f"mutant@{bug}@{subtest}"
            if selected(name, patterns):
                # In a process of its own: what an assertion leaves behind when it
                # fails must not be what makes the next subtest fail.
                batches[name] = Batch(f"mutant@{bug}", command,
                                      [Item(name, subtest, True, complaint, rule,
                                            f"{binary}@{subtest}")])
    return batches.values()
