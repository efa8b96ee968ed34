/**
 * The demo's own doctor: the same one that `portico doctor` is, with a DNS of one name and the ports of the demo in the place
 * of 443 and 8448.
 */
import { randomInt } from 'node:crypto';
import { systemClock } from '../../base/clock.ts';
import type { Site } from '../../config/index.ts';
import type { CanaryQuestion } from '../../delegation/canary/uri-canary.ts';
import { diagnose, type Diagnosis } from '../../delegation/doctor/diagnose.ts';
import { gather } from '../../delegation/doctor/probes/gather.ts';
import { createTrust } from '../../delegation/outbound/dial.ts';
import type { DnsClient } from '../../dns/dns-client.ts';
import { expectedOf } from '../../expected.ts';
import type { DemoSetting } from './config-text.ts';

/** The running demo, as its doctor needs it. */
export interface DemoPatient {
  readonly setting: DemoSetting;
  readonly site: Site;
  /** PEM of the local CA, which stands for the public ones. */
  readonly ca: string;
  readonly canary: () => CanaryQuestion;
}

/** Everything is on loopback. */
const TIMEOUT_MS = 5000;
const LIMIT_MS = 20_000;
const MAX_REQUESTS = 100;

/** Looks at the demo. */
export async function examineDemo({ setting, site, ca, canary }: DemoPatient): Promise<Diagnosis> {
  const { host, ports } = setting;
  const portOf = new Map([
    [443, ports.https],
    [8448, ports.federation],
  ]);
  const evidence = await gather(
    site.server_name.text,
    expectedOf(site),
    {
      dns: dnsOf(site.server_name.hostname, host),
      dial: {
        clock: systemClock,
        trust: createTrust(ca),
        allowPrivate: true,
        timeoutMs: TIMEOUT_MS,
        reach: (address, port) => ({ address, port: portOf.get(port) ?? port }),
      },
      clock: systemClock,
      random: () => randomInt(2 ** 32) / 2 ** 32,
      maxRequests: MAX_REQUESTS,
      canary: () => Promise.resolve(canary()),
    },
    AbortSignal.timeout(LIMIT_MS),
  );
  return diagnose(evidence);
}

/** A DNS in which one name has one IPv4 address, and nothing else exists. */
function dnsOf(known: string, address: string): DnsClient {
  return {
    query: (name, type) => {
      const asked = name.toLowerCase().replace(/\.$/, '');
      return Promise.resolve({
        rcode: asked === known ? 'NOERROR' : 'NXDOMAIN',
        answers: asked === known && type === 'A' ? [{ name: known, type, ttl: 60, address }] : [],
        authority: [],
        authoritative: true,
        server: 'demo',
      });
    },
  };
}
