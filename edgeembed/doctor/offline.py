"""Proves that encoding needs no network, in a child process that cannot use one."""

import subprocess
import sys
from pathlib import Path

from edgeembed.doctor.finding import Finding

_TIMEOUT_S = 120
# Any use of Python's sockets ends the child; a socket opened by native code would show among its
# open files afterwards, where the system lists them.
_CHILD = """
import os, sys
def refuse(event, arguments):
    if event.startswith(("socket.", "urllib.", "http.", "ftplib.", "smtplib.")):
        os.write(2, f"network: {event}".encode())
        os._exit(3)
sys.addaudithook(refuse)
from edgeembed import Encoder
with Encoder.load(sys.argv[1]) as encoder:
    if "text" in encoder.modalities:
        encoder.encode(["one text", "another"])
        encoder.encode("a query")
    if "image" in encoder.modalities:
        import numpy as np
        encoder.encode_image([np.zeros((64, 64, 3), np.uint8)] * 2)
    fds = "/proc/self/fd"
    names = [os.readlink(f"{fds}/{n}") for n in os.listdir(fds) if os.path.lexists(f"{fds}/{n}")] \\
        if os.path.isdir(fds) else []
opened = [name for name in names if name.startswith("socket:")]
print(f"sockets {len(opened)}")
"""


def offline_finding(path: Path) -> Finding:
    """Encode with the bundle at `path` in a child process that dies on any use of the network."""
    try:
        child = subprocess.run(
            [sys.executable, "-c", _CHILD, str(path)],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding.note("offline", f"could not be tried: {error}")
    if child.returncode == 0 and child.stdout.strip() == "sockets 0":
        found = "loaded and encoded in a process without any use of the network"
        return Finding.ok("offline", found)
    words = (child.stderr.strip() or child.stdout.strip() or "no message").splitlines()[-1]
    return Finding.wrong("offline", words, "please report this")
