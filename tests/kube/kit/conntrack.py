"""Where the kernel sent a connection: one question to its table of connections, by netlink (linux/netfilter/nfnetlink_conntrack.h)."""

import socket
import struct

NETLINK_NETFILTER = 12
GET = 1 << 8 | 1  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET
REQUEST, ERROR, NESTED = 1, 2, 0x8000
ORIGINAL, REPLY, IP, PROTO = 1, 2, 1, 2  # CTA_TUPLE_ORIG, CTA_TUPLE_REPLY; within those CTA_TUPLE_IP, CTA_TUPLE_PROTO
SOURCE, TARGET = 1, 2  # CTA_IP_V4_SRC, CTA_IP_V4_DST
NUMBER, SOURCE_PORT, TARGET_PORT = 1, 2, 3  # CTA_PROTO_NUM and the ports


def attribute(kind, value):
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def nested(kind, *parts):
    return attribute(kind | NESTED, b"".join(parts))


def attributes(data):
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        found[kind & 0x3FFF] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found


def port_behind(client, service):
    """The port that the connection from `client` to `service`, both (address, port), was sent to; None if it is not known."""
    addresses = nested(
        IP, attribute(SOURCE, socket.inet_aton(client[0])), attribute(TARGET, socket.inet_aton(service[0]))
    )
    ports = nested(
        PROTO,
        attribute(NUMBER, bytes([socket.IPPROTO_TCP])),
        attribute(SOURCE_PORT, struct.pack("!H", client[1])),
        attribute(TARGET_PORT, struct.pack("!H", service[1])),
    )
    body = struct.pack("=BBH", socket.AF_INET, 0, 0) + nested(ORIGINAL, addresses, ports)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as s:
        s.send(struct.pack("=IHHII", 16 + len(body), GET, REQUEST, 1, 0) + body)
        answer = s.recv(8192)
    if struct.unpack_from("=H", answer, 4)[0] == ERROR:
        return None
    reply = attributes(attributes(answer[20:])[REPLY])
    return struct.unpack("!H", attributes(reply[PROTO])[SOURCE_PORT])[0]
