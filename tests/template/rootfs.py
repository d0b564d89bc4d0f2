"""A base image from this machine's own files, for machines that cannot pull one, and an image's root file system as a pod
of the `restricted` standard sees it."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
PROGRAMS = ("/bin/sh", "/usr/bin/env", "/bin/rm", "/usr/sbin/groupadd", "/usr/sbin/useradd")
# Wheels bring their libraries, but for these, which the real base image has as well.
SYSTEM_LIBRARIES = (
    "libstdc++.so.6", "libgcc_s.so.1", "libm.so.6", "librt.so.1", "libdl.so.2", "libpthread.so.0", "libutil.so.1",
)  # fmt: skip
ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "etc/shadow": "root:*:20000:0:99999:7:::\n",
    "etc/gshadow": "root:*::\n",
}
# Stand in for what needs a network: the one leaves a compiler, the other what it was asked for.
STAND_INS = {
    "usr/bin/apt-get": '#!/bin/sh\n[ "$1" = update ] || : > /usr/bin/gcc\n',
    "usr/local/bin/pip": '#!/bin/sh\nprintf "%s\\n" "$*" > /opt/venv/asked\n'
    'while read -r line; do printf "%s\\n" "$line"; done < requirements.txt >> /opt/venv/asked\n',
}


def make_base(root: Path) -> None:
    """This machine's shell, account programs and Python, with the libraries that they need, under `root`."""
    python, library = Path(sys.base_prefix, "bin", PYTHON).resolve(), Path(os.__file__).parent
    for folder in ("dev", "proc", "root", "usr/local/bin", "usr/bin", "etc", "var/lib/apt", "var/cache/apt"):
        (root / folder).mkdir(parents=True)
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    without = ("test", "site-packages", "dist-packages", "__pycache__", "config-*", "idlelib", "tkinter")
    shutil.copytree(
        library, root / "usr/local/lib" / PYTHON, ignore=shutil.ignore_patterns(*without), symlinks=True
    )
    (root / "usr/local/lib" / PYTHON / "site-packages").mkdir()
    shutil.copy2(python, root / "usr/local/bin" / PYTHON)
    for name in ("python", "python3"):
        (root / "usr/local/bin" / name).symlink_to(PYTHON)
    _copy(PROGRAMS, root)
    loadable = [str(path) for path in library.glob("lib-dynload/*.so")]
    _copy(_libraries([*PROGRAMS, str(python), *loadable]) | _system_libraries(), root)
    for name, text in (ACCOUNTS | STAND_INS).items():
        (root / name).write_text(text)
    for name in STAND_INS:
        (root / name).chmod(0o755)
    shutil.copy2("/etc/login.defs", root / "etc/login.defs")


def _copy(paths: Iterable[str], root: Path) -> None:
    for path in paths:
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, place)


def _libraries(programs: Sequence[str]) -> set[str]:
    listed = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    return set(re.findall(r"(?:=> |^\s+)(/\S+) \(0x", listed, re.MULTILINE))


def _system_libraries() -> set[str]:
    cache = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    found = {name: re.search(rf"{re.escape(name)} .*=> (\S+)", cache) for name in SYSTEM_LIBRARIES}
    return {match[1] for match in found.values() if match}


SHUT_IN = """
set -e
root=$1 packages=$2 place=$3 user=$4 folder=$5
shift 5
mount --bind "$root" "$root"
mount --bind "$packages" "$root/$place"
mount -o remount,ro,bind "$root/$place"
mount -o remount,ro,bind "$root"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
exec chroot --userspec="$user" --groups= "$root" /bin/sh -c 'cd "$1" && shift && exec "$@"' sh "$folder" "$@"
"""


def shut_in(root: Path, packages: Path, user: str, folder: str, command: Sequence[str]) -> list[str]:
    """The command line that runs `command` in `root`: read-only but for an empty /tmp, as that user, in that folder.

    `packages` are mounted where the stand-in for pip installed nothing. Its mounts are its own, and end with it.
    """
    place = f"opt/venv/lib/{PYTHON}/site-packages"
    return [
        "/usr/bin/unshare", "--mount", "/bin/sh", "-c", SHUT_IN, "sh",
        str(root), str(packages), place, user, folder, *command,
    ]  # fmt: skip
