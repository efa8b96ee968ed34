"""Asks Synapse's own federation agent for server names and says how each request ended.

Reads JSON from stdin: {"ca": PEM, "dns": [address, port], "reach": {"address port": port}, "names": [...]}. Every connection
is led to loopback by "reach"; names are looked up at "dns" only; the query of a request is its number. Prints {name: {"status": 200} or {"error": "..."}}.
"""
import json
import sys
from types import SimpleNamespace

from netaddr import IPSet
from twisted.internet import defer, reactor
from twisted.internet.abstract import isIPAddress
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHostnameResolver, IHostResolution
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.names import client, dns
from zope.interface import implementer

from synapse.crypto.context_factory import FederationPolicyForHTTPS
from synapse.http.federation.matrix_federation_agent import MatrixFederationAgent
from synapse.http.federation.srv_resolver import SrvResolver
from synapse.util.clock import Clock

given = json.load(sys.stdin)
resolver = client.Resolver(servers=[tuple(given["dns"])], timeout=(2,))
real_connect = reactor.connectTCP


def connect(host, port, factory, timeout=30, bindAddress=None):
    # A place where nobody serves: port 1 of loopback refuses.
    return real_connect("127.0.0.1", given["reach"].get(f"{host} {port}", 1), factory, timeout, bindAddress)


@implementer(IHostResolution)
class Resolution:
    def __init__(self, name):
        self.name = name

    def cancel(self):
        pass


@implementer(IHostnameResolver)
class OurNames:
    """Looks up both families at the server that was given."""

    def resolveHostName(self, receiver, hostName, portNumber=0, addressTypes=None, transportSemantics="TCP"):
        resolution = Resolution(hostName)
        receiver.resolutionBegan(resolution)
        if isIPAddress(hostName):
            receiver.addressResolved(IPv4Address("TCP", hostName, portNumber))
            receiver.resolutionComplete()
            return resolution

        def found(results):
            for ok, value in results:
                for record in value[0] if ok else []:
                    if record.type == dns.A:
                        receiver.addressResolved(IPv4Address("TCP", record.payload.dottedQuad(), portNumber))
                    elif record.type == dns.AAAA:
                        receiver.addressResolved(IPv6Address("TCP", record.payload._address, portNumber))
            receiver.resolutionComplete()

        lookups = [resolver.lookupAddress(hostName), resolver.lookupIPV6Address(hostName)]
        defer.DeferredList(lookups, consumeErrors=True).addCallback(found)
        return resolution


@defer.inlineCallbacks
def main():
    reactor.installNameResolver(OurNames())
    reactor.connectTCP = connect
    tls = SimpleNamespace(
        federation_ca_trust_root=trustRootFromCertificates([Certificate.loadPEM(given["ca"])]),
        federation_client_minimum_tls_version="1.2",
        federation_verify_certificates=True,
        federation_certificate_verification_whitelist=[],
    )
    answers = {}
    for index, name in enumerate(given["names"]):
        # A fresh agent for each: no cache of one may help another.
        agent = MatrixFederationAgent(
            server_name="asking.test",
            reactor=reactor,
            clock=Clock(reactor, server_name="asking.test"),
            tls_client_options_factory=FederationPolicyForHTTPS(SimpleNamespace(tls=tls)),
            user_agent=b"agreement",
            ip_allowlist=None,
            ip_blocklist=IPSet(),
            _srv_resolver=SrvResolver(dns_client=resolver, cache={}),
        )
        uri = f"matrix-federation://{name}/_matrix/key/v2/server?{index}".encode()
        try:
            response = yield defer.ensureDeferred(as_coroutine(agent.request(b"GET", uri)))
            answers[name] = {"status": response.code}
        except Exception as error:
            answers[name] = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answers))
    reactor.stop()


async def as_coroutine(deferred):
    return await deferred


def failed(failure):
    failure.printTraceback(sys.stderr)
    reactor.stop()


reactor.callWhenRunning(lambda: main().addErrback(failed))
reactor.run()
