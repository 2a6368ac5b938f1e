"""What counts as one client: an address, or an IPv6 network."""

from __future__ import annotations

import ipaddress


def network_of(address: str) -> str:
    """Return what is counted as one client: an address, or the /64 network of an IPv6 address.

    A single machine often has such a network to itself, and could use a new address each time.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return address
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((found.packed, 64), strict=False))
