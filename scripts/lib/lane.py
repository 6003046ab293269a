# SPDX-License-Identifier: MIT
"""A lane: a kernel, its modules, and how it wants to be started."""

import dataclasses
import os
import struct
import subprocess

from . import SCRIPTS, Error


@dataclasses.dataclass
class Lane:
    name: str
    release: str
    kernel: str
    modules: str
    smp: int
    thread: str         # single or multi: may QEMU emulate CPUs in parallel?
    memory: str
    append: str
    limit: int          # seconds that a subtest may take
    watch: list         # what guest/leftovers and scripts/test can look at
    patching: list      # tests that have the kernel patch its text


def for_patching(lane):
    """The lane for tests that have the kernel patch its text: no two CPUs at once then."""
    return dataclasses.replace(lane, thread="single", append=f"{lane.append} tracefs=yes")


def load(name):
    """The lane as scripts/lane describes it."""
    run = subprocess.run([os.path.join(SCRIPTS, "lane"), name], text=True,
                         stdout=subprocess.PIPE, check=False)
    if run.returncode:
        raise Error(f"lane '{name}' cannot be used")
    facts = dict(line.split("=", 1) for line in run.stdout.splitlines())
    return Lane(name, facts["release"], facts["kernel"], facts["modules"],
                int(facts["smp"]), facts["thread"], facts["memory"], facts["append"],
                int(facts["limit"]), facts["watch"].split(), facts["patching"].split())


def bzimage_release(path):
    """What uname -r will say in a bzImage, from its header."""
    try:
        with open(path, "rb") as image:
            head = image.read(0x10000)
    except OSError as err:
        raise Error(f"kernel {path}: {err.strerror}") from err
    if head[0x202:0x206] != b"HdrS":
        raise Error(f"kernel {path}: not an x86 bzImage; give arch/x86/boot/bzImage of your tree")
    offset = struct.unpack_from("<H", head, 0x20e)[0] + 0x200
    return head[offset:head.index(b"\0", offset)].decode().split(" ")[0]


def with_kernel(lane, image, modules=None):
    """The lane with somebody's own kernel in it."""
    image = os.path.abspath(image)
    release = bzimage_release(image)
    if modules:
        # Either a module directory itself, or what INSTALL_MOD_PATH was.
        below = os.path.join(modules, "lib/modules", release)
        modules = os.path.abspath(below if os.path.isdir(below) else modules)
        if not os.path.exists(os.path.join(modules, "modules.dep")):
            raise Error(f"{modules}: no modules.dep; give the directory that "
                        f"'make modules_install INSTALL_MOD_PATH=...' filled")
    else:
        modules = f"/lib/modules/{release}"
    return dataclasses.replace(lane, kernel=image, release=release, modules=modules)
