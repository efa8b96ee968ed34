"""Watches one host of the lab from its network: who came to which address and port with which SNI, and which Host the
homeserver was handed with it. Nobody that is tested takes part in it.

    witness.py PEER_IPV4 PEER_IPV6 HOMESERVER_PORT...

Prints a line `watching`, then one JSON line for each ClientHello that comes from the peer, {"address", "port", "sni"}, and one
for each federation request of the peer on its way from the front to the homeserver, {"host", "path"}.
"""

import json
import re
import socket
import struct
import sys

PEERS = sys.argv[1:3]
HOMESERVER_PORTS = {int(port) for port in sys.argv[3:]}
ENOUGH = 16 * 1024
HEAD = re.compile(rb"^[A-Z]+ (/_matrix/(?:federation|key)/\S*) HTTP/1\.1\r\n")


def tell(**what):
    print(json.dumps(what), flush=True)


def tcp_of(packet):
    """(source, source port, destination, destination port, sequence number, data), or None."""
    ethertype = struct.unpack("!H", packet[12:14])[0]
    ip = packet[14:]
    if ethertype == 0x0800 and ip[9] == 6:
        header, length = (ip[0] & 15) * 4, struct.unpack("!H", ip[2:4])[0]
        source, destination = (socket.inet_ntop(socket.AF_INET, part) for part in (ip[12:16], ip[16:20]))
        tcp = ip[header : length or None]
    elif ethertype == 0x86DD and ip[6] == 6:
        length = struct.unpack("!H", ip[4:6])[0]
        source, destination = (socket.inet_ntop(socket.AF_INET6, part) for part in (ip[8:24], ip[24:40]))
        tcp = ip[40 : 40 + length if length else None]
    else:
        return None
    source_port, destination_port, sequence = struct.unpack("!HHI", tcp[:8])
    return source, source_port, destination, destination_port, sequence, tcp[(tcp[12] >> 4) * 4 :]


def sni_of(record):
    """The name in a ClientHello (RFC 8446 section 4.1.2), '' without one; None while it is not whole."""
    if len(record) < 5 or len(record) < 5 + struct.unpack("!H", record[3:5])[0]:
        return None
    at = 5 + 4 + 2 + 32
    at += 1 + record[at]
    at += 2 + struct.unpack("!H", record[at : at + 2])[0]
    at += 1 + record[at]
    end = at + 2 + struct.unpack("!H", record[at : at + 2])[0]
    at += 2
    while at < end:
        kind, length = struct.unpack("!HH", record[at : at + 4])
        if kind == 0:
            return record[at + 9 : at + 4 + length].decode("ascii")
        at += 4 + length
    return ""


def field(head, name):
    found = re.search(rb"\r\n" + name + rb": *([^\r]*)", head, re.IGNORECASE)
    return None if found is None else found[1].decode("latin-1")


def main():
    flows = {}
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sniffer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024 * 1024)
    print("watching", flush=True)
    while True:
        seen = tcp_of(sniffer.recv(128 * 1024))
        if seen is None:
            continue
        source, source_port, destination, port, sequence, data = seen
        inner = port in HOMESERVER_PORTS and source not in PEERS
        if not data or not (inner or source in PEERS):
            continue
        if inner:
            # The front writes a head at once; what follows on the same connection stands at the start of a packet as well.
            request = HEAD.match(data)
            if request and field(data, b"X-Forwarded-For") in PEERS:
                tell(host=field(data, b"Host"), path=request[1].decode("latin-1"))
            continue
        key = (source, source_port, destination, port)
        expected, held = flows.get(key, (sequence, b""))
        if held is None or sequence != expected:
            continue
        held += data
        # A handshake record whose message is a ClientHello; what the peer says as a server begins with another.
        hello = held[:1] == b"\x16" and held[5:6] in (b"", b"\x01")
        sni = sni_of(held) if hello else None
        if sni is not None:
            tell(address=destination, port=port, sni=sni or None)
        # A connection says hello once.
        done = sni is not None or not hello or len(held) > ENOUGH
        flows[key] = (sequence + len(data), None if done else held)


main()
