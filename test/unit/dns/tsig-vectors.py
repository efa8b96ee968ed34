"""Makes tsig-vectors.json with dnspython, which shares nothing with ours: `python tsig-vectors.py > tsig-vectors.json`.

A request (an UPDATE that adds one TXT value) and responses to it, each signed with every algorithm: a good one, one with
BADTIME, and unsigned ones with BADKEY and BADSIG.
"""
import base64
import json

import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.tsig
import dns.update

NOW = 1_700_000_000
SECRET = bytes(range(40))
ALGORITHMS = {
    "hmac-sha256": dns.tsig.HMAC_SHA256,
    "hmac-sha384": dns.tsig.HMAC_SHA384,
    "hmac-sha512": dns.tsig.HMAC_SHA512,
}

dns.message.time.time = lambda: NOW


def signed(message, key, request_mac, error=0, other=b"", time=NOW):
    """The wire form with a TSIG record over it, as a server that answers `request_mac` makes it."""
    wire = bytearray(message.to_wire())
    tsig = dns.rdtypes.ANY.TSIG.TSIG(
        dns.rdataclass.ANY, dns.rdatatype.TSIG, key.algorithm, time, 300, b"", message.id, error, other
    )
    tsig, _ = dns.tsig.sign(bytes(wire), key, tsig, time, request_mac)
    return with_record(wire, key.name, tsig)


def with_record(wire, name, tsig):
    rdata = tsig.to_wire()
    fixed = b"\x00\xfa\x00\xff\x00\x00\x00\x00" + len(rdata).to_bytes(2, "big")
    wire[10:12] = (int.from_bytes(wire[10:12], "big") + 1).to_bytes(2, "big")
    return bytes(wire) + name.to_wire() + fixed + rdata


def unsigned(message, key, error):
    tsig = dns.rdtypes.ANY.TSIG.TSIG(
        dns.rdataclass.ANY, dns.rdatatype.TSIG, key.algorithm, 0, 300, b"", message.id, error, b""
    )
    return with_record(bytearray(message.to_wire()), key.name, tsig)


def response_to(request, rcode):
    response = dns.message.make_response(request)
    response.flags = 0xA800
    response.set_rcode(rcode)
    return response


vectors = []
for label, algorithm in ALGORITHMS.items():
    key = dns.tsig.Key("Portico.Example", SECRET, algorithm)
    update = dns.update.UpdateMessage("example.test", id=0x4242)
    update.absent("_acme-challenge.example.test.", "CNAME")
    update.add("_acme-challenge.example.test.", 60, "TXT", '"' + "v" * 43 + '"')
    plain = update.to_wire()
    update.use_tsig(key)
    request = update.to_wire()
    mac = update.tsig[0].mac
    plain_update = dns.message.from_wire(plain)
    good = response_to(plain_update, dns.rcode.NOERROR)
    bad = response_to(plain_update, dns.rcode.NOTAUTH)
    vectors.append(
        {
            "algorithm": label,
            "keyName": "portico.example",
            "secret": base64.b64encode(SECRET).decode(),
            "now": NOW,
            "plain": plain.hex(),
            "request": request.hex(),
            "requestMac": mac.hex(),
            "good": signed(good, key, mac).hex(),
            "old": signed(good, key, mac, time=NOW - 301).hex(),
            "badTime": signed(bad, key, mac, error=18, other=(NOW + 1000).to_bytes(6, "big")).hex(),
            "badKey": unsigned(bad, key, 17).hex(),
            "badSig": unsigned(bad, key, 16).hex(),
            "badTrunc": unsigned(bad, key, 22).hex(),
            "otherKey": signed(good, dns.tsig.Key("other.example", SECRET, algorithm), mac).hex(),
            "otherSecret": signed(good, dns.tsig.Key("portico.example", SECRET + b"!", algorithm), mac).hex(),
            "otherRequest": signed(good, key, bytes(len(mac))).hex(),
        }
    )
print(json.dumps(vectors, indent=2))
