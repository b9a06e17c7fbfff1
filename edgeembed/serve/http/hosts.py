"""Which names a server goes by that only this machine reaches.

A page of another site may have its own name point to 127.0.0.1 (DNS rebinding). The browser then
takes this server for that site, and lets the page read what it answers. Only the Host header tells.
"""

import ipaddress
import re

# What no public DNS answers for: RFC 6761, RFC 6762, and what containers call their host.
_SUFFIXES = (".localhost", ".local", ".internal")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]*)(?::\d*)?")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens on `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_own_name(header: str) -> bool:
    """Whether a Host header is a number, or a name that no stranger can have point here."""
    found = _HOST.fullmatch(header.strip())
    if found is None:
        return False
    name = found[1].lower().removesuffix(".")
    # Names without a dot are nobody's but this network's: localhost, a container's.
    if ("." not in name and ":" not in name) or name.endswith(_SUFFIXES):
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
