/**
 * A small Internet on loopback: a DNS server, and TLS servers at addresses and ports of the test's choice, under a CA of its
 * own. What dials gets `dial.reach`, which leads each address and port to the socket that plays it; a place where nobody
 * serves refuses connections.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { createSecureContext } from 'node:tls';
import { systemClock } from '../../src/base/clock.ts';
import { createTrust } from '../../src/delegation/outbound/dial.ts';
import type { DialSetting } from '../../src/delegation/outbound/dial.ts';
import { createHttpsGet } from '../../src/delegation/resolve/https-get.ts';
import type { ResolveDeps } from '../../src/delegation/resolve/types.ts';
import { createStubClient } from '../../src/dns/stub-client.ts';
import { startDnsServer } from './dns-server.ts';
import type { FakeDnsServer, FakeRecord } from './dns-server.ts';
import { createTestCa } from './test-certificates.ts';
import type { TestCa, TestCertificate } from './test-certificates.ts';

/** A TLS server at one place. */
export interface Place {
  /** Certificates by SNI; the first also answers without SNI. Names not among them get the first, too. */
  readonly certificates: Readonly<Record<string, TestCertificate>>;
  readonly answer: RequestListener;
  readonly tls?: TlsOptions;
}

/** What one request looked like from the server's side. */
export interface SeenRequest {
  readonly place: string;
  /** Null: no SNI was sent. */
  readonly sni: string | null;
  readonly host: string;
  readonly url: string;
  readonly method: string;
}

/** The running Internet. */
export class Internet implements AsyncDisposable {
  readonly dns: FakeDnsServer;
  readonly ca: TestCa;
  readonly dial: DialSetting;
  readonly resolve: ResolveDeps;
  readonly seen: SeenRequest[] = [];
  readonly #ports = new Map<string, number>();
  readonly #closers: (() => Promise<void>)[] = [];
  readonly #certificates = new Map<string, TestCertificate>();

  constructor(dns: FakeDnsServer, ca: TestCa, closedPort: number) {
    this.dns = dns;
    this.ca = ca;
    this.dial = {
      clock: systemClock,
      trust: createTrust(ca.ca),
      allowPrivate: true,
      timeoutMs: 5000,
      reach: (address, port) => ({ address: '127.0.0.1', port: this.#ports.get(`${address} ${port}`) ?? closedPort }),
    };
    this.resolve = {
      dns: createStubClient({ servers: [dns.server], random: randomBytes }),
      get: createHttpsGet(this.dial),
      clock: systemClock,
      random: () => 0,
    };
  }

  /** A certificate for these names; made once. */
  async certificate(names: readonly string[], days = 30): Promise<TestCertificate> {
    const key = `${names.join()} ${days}`;
    const made = this.#certificates.get(key) ?? (await this.ca.issue(names, days));
    this.#certificates.set(key, made);
    return made;
  }

  /** Every place that is played, and its port on loopback. */
  places(): Record<string, number> {
    return Object.fromEntries(this.#ports);
  }

  /** Lets a place be played by somebody who listens already. @param where - `203.0.113.1 443` */
  lead(where: string, port: number): void {
    this.#ports.set(where, port);
  }

  /** Starts a server at a place. @param where - `203.0.113.1 443` */
  async serve(where: string, { certificates, answer, tls = {} }: Place): Promise<void> {
    const [first] = Object.values(certificates);
    const contexts = new Map(
      Object.entries(certificates).map(([name, pair]) => [name, createSecureContext({ ...tls, ...pair })]),
    );
    const sniOf = (request: IncomingMessage): string | null => {
      const { servername } = request.socket as IncomingMessage['socket'] & { servername?: string | false };
      return typeof servername === 'string' && servername !== '' ? servername : null;
    };
    const server = createHttpsServer(
      {
        ...first,
        ...tls,
        SNICallback: (name, done) => done(null, contexts.get(name) ?? createSecureContext({ ...tls, ...first })),
      },
      (request, response) => {
        const { url = '', method = '', headers } = request;
        this.seen.push({ place: where, sni: sniOf(request), host: headers.host ?? '', url, method });
        answer(request, response);
      },
    );
    server.on('tlsClientError', () => {});
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.#ports.set(where, (server.address() as AddressInfo).port);
    this.#closers.push(async () => {
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, 'close');
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#closers.map((close) => close()), this.dns.close()]);
  }
}

/** Starts one with these records. */
export async function startInternet(records: readonly FakeRecord[]): Promise<Internet> {
  // A port that was free a moment ago: connections to it are refused.
  const closed = createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address() as AddressInfo;
  closed.close();
  return new Internet(await startDnsServer(records), await createTestCa(), port);
}

/** Answers with a status, a body and fields. */
export function reply(
  response: ServerResponse,
  status: number,
  body: string,
  fields: Record<string, string> = {},
): ServerResponse {
  return response.writeHead(status, { 'Content-Type': 'application/json', ...fields }).end(body);
}
