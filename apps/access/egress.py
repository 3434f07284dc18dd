"""Where our own processes may connect to when a member names the address: resolved once, checked, and then used as checked."""

from __future__ import annotations

import ipaddress
import socket

from django.conf import settings

from apps.foundation.errors import Invalid, Unavailable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_allowed(host: str, port: int) -> bool:
    """Whether the operator named this destination, so that the address rules do not count for it."""
    return f"{host}:{port}" in settings.BOATHOUSE_EGRESS_ALLOW


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a destination, every one of them public. Connect to these and ask no resolver again.

    Raises Invalid for a destination that is not allowed, Unavailable when the name leads nowhere.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unavailable(f"The name {host:.100} leads to no address; check its spelling.") from error
    addresses = sorted({str(entry[4][0]).partition("%")[0] for entry in found}, key=lambda text: ":" in text)
    if not is_allowed(host, port) and not all(map(is_public, addresses)):
        raise Invalid(
            f"{host:.100} is an address inside this network. An operator may allow it in BOATHOUSE_EGRESS_ALLOW.",
            code="address_not_allowed",
        )
    return addresses


def is_public(text: str) -> bool:
    """Whether an address is one of the open internet, also when it wraps another one."""
    address: Address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            address = inner
    return address.is_global and not address.is_multicast and not address.is_reserved
