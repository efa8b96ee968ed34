import { PorticoError } from '../../../base/errors.ts';
import type { DnsRecord } from '../../../dns/dns-client.ts';
import { addressesOf, ask } from '../ask.ts';
import { orderSrv } from '../srv-order.ts';
import type { Step, StepContext, StepNumber, StepOutcome, Target } from '../types.ts';

/** The two services; the second was never registered with IANA and is deprecated since v1.8. */
export type SrvService = '_matrix-fed' | '_matrix';

/** Most targets that are looked up; nobody has as many servers, and a stranger's zone must not make us ask for ever. */
const MAX_TARGETS = 10;

interface Srv {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

/**
 * Steps 3.3, 3.4, 4 and 5: SRV records. They change where the connection goes, never whom it must prove to be: Host, SNI and
 * certificate stay those of the name. Only "there is none" leads to the next step; a look-up that fails ends discovery,
 * because the answer could have been one that must not be missed.
 */
export function srvStep(number: StepNumber, service: SrvService, title: string): Step {
  return { number, title, run: (context) => run(number, service, context) };
}

async function run(number: StepNumber, service: SrvService, context: StepContext): Promise<StepOutcome> {
  const { hostname } = context.name;
  const owner = `${service}._tcp.${hostname}`;
  const note = context.trail.start(number, `SRV ${owner}`);
  const asked = await ask(context.dns, owner, 'SRV', context.signal);
  if (asked.kind === 'absent') {
    note('absent', asked.why);
    return { kind: 'next' };
  }
  if (asked.kind === 'failed') {
    note('failed', asked.why);
    return failed('RESOLVE_SRV_FAILED', `The SRV records of ${owner} cannot be looked up: ${asked.why}.`, {
      fix: asked.fix ?? `Make the name servers of ${hostname} answer for ${owner}, with NXDOMAIN for no such record.`,
    });
  }
  const records = asked.records.flatMap(srvOf);
  note('found', records.map(written).join('; '));
  if (records.length === 1 && records[0]?.target === '') {
    return failed('RESOLVE_SERVICE_DISABLED', `${owner} says with the target "." that there is no such service.`, {
      fix: `Remove the SRV record ${owner}, or point it to the server.`,
    });
  }
  if (service === '_matrix') {
    const seen = `Found by ${owner}; its replacement _matrix-fed._tcp.${hostname} does not exist.`;
    context.trail.warn(number, 'srv-service-deprecated', seen);
  }
  return targetsOf(number, owner, records, context);
}

async function targetsOf(
  number: StepNumber,
  owner: string,
  records: readonly Srv[],
  context: StepContext,
): Promise<StepOutcome> {
  const { hostname, text: host } = context.name;
  const usable = records.filter((record) => {
    if (record.target !== '' && record.port !== 0) return true;
    context.trail.warn(number, 'srv-invalid', `${owner} has the record "${written(record)}", which leads nowhere.`);
    return false;
  });
  const targets: Target[] = [];
  for (const { target, port, priority, weight } of orderSrv(usable, context.random).slice(0, MAX_TARGETS)) {
    const { addresses, aliases, problem } = await addressesOf(context, number, target);
    if (aliases.length > 0) {
      const seen = `${owner} points to ${target}, which is a CNAME for ${aliases.join(' → ')}.`;
      context.trail.warn(number, 'srv-target-is-cname', seen);
    }
    if (problem !== null) {
      context.trail.warn(
        number,
        'srv-target-dangling',
        `${owner} points to ${target}, which has no address: ${problem}.`,
      );
      continue;
    }
    const srv = { service: owner, priority, weight };
    targets.push({ addresses, port, host, sni: hostname, certificateName: hostname, addressName: target, srv });
  }
  if (targets.length > 0) return { kind: 'found', targets };
  return failed('RESOLVE_NO_ADDRESS', `No target of ${owner} has an address.`, {
    fix: `Point ${owner} to a name with an A or AAAA record, or remove it.`,
  });
}

function srvOf(record: DnsRecord): Srv[] {
  return record.type === 'SRV' ? [record] : [];
}

function written({ priority, weight, port, target }: Srv): string {
  return `${String(priority)} ${String(weight)} ${String(port)} ${target === '' ? '.' : target}`;
}

function failed(code: string, message: string, options: { fix: string }): StepOutcome {
  return { kind: 'failed', error: new PorticoError(code, message, options) };
}
