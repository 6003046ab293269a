# SPDX-License-Identifier: MIT
"""Which accelerator works here: KVM only if it has really booted a kernel.

/dev/kvm is no proof. Some hosts offer one on which no stock kernel comes up, or
on which QEMU aborts. The answer holds until the host boots again or has another
QEMU; it is kept outside the checkout because it is about the machine.
"""

import glob
import hashlib
import os
import subprocess
import sys
import tempfile

from . import CACHE, guest
from .cpio import Archive
from .initramfs import BUSYBOX, read

PROBE_LIMIT = 15

INIT = """#!/busybox sh
/busybox mknod /port c 1 4
/busybox printf '\\061' | /busybox dd of=/port bs=1 seek=244 count=1
/busybox poweroff -f
"""


def probe(lane, accelerator="kvm"):
    """Does @lane's kernel boot with @accelerator?"""
    with tempfile.NamedTemporaryFile() as image:
        archive = Archive(image)
        archive.chardev("dev/console", 5, 1)
        archive.file("busybox", read(BUSYBOX), 0o755)
        archive.file("init", INIT.encode(), 0o755)
        archive.close()
        image.flush()
        args = guest.base_arguments(lane.kernel, image.name, "quiet panic=-1")
        args += guest.accelerator_arguments(accelerator) + ["-m", "512M"]
        try:
            run = subprocess.run(args, timeout=PROBE_LIMIT, check=False, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return False
        return run.returncode == guest.ORDERLY_EXIT


def choose(lane):
    """"kvm" or "tcg"."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot = file.read().strip()
    version = subprocess.run([guest.QEMU, "--version"], stdout=subprocess.PIPE, check=True).stdout
    key = hashlib.sha256(boot.encode() + version).hexdigest()[:16]
    path = os.path.join(CACHE, f"accelerator-{key}")
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        pass

    print("vm: /dev/kvm exists; trying to boot a kernel with it", file=sys.stderr)
    answer = "kvm" if probe(lane) else "tcg"
    print(f"vm: using {answer} from now on", file=sys.stderr)
    os.makedirs(CACHE, exist_ok=True)
    for old in glob.glob(os.path.join(CACHE, "accelerator-*")):
        os.unlink(old)
    with open(path, "w", encoding="ascii") as file:
        file.write(answer + "\n")
    return answer
