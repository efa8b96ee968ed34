/**
 * The lab itself, run on the client's host (see run.ts): starts DNS, the other web server and the peer, then for each form of
 * delegation a Synapse and a Dendrite behind Portico, and lets both talk to the peer. Prints a table; exit code 1 when a
 * check failed.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestCa, type TestCa } from '../../helpers/test-certificates.ts';
import type { HomeserverKind } from '../harness/homeserver.ts';
import type { Service } from '../harness/service.ts';
import { BROKEN, type BrokenVariant } from './broken.ts';
import { checkAfterRestart, checkPair, meet, seenFrom, type Outcomes, type Pair } from './checks.ts';
import { Commands } from './commands.ts';
import { startDns } from './dns-server.ts';
import { FORMS, peerPlan, ZONE, type Form, type Plan } from './forms.ts';
import { HOMESERVER_PORT } from './front.ts';
import { FEDERATION_PORT, Home } from './home.ts';
import { hostOf, type HostName, type LabHost } from './network.ts';
import { brokenFailuresOf, brokenTableOf, failuresOf, tableOf, type BrokenRow, type Row } from './table.ts';
import { startWeb } from './web-server.ts';
import { Witness } from './witness.ts';

const KINDS: readonly HomeserverKind[] = ['synapse', 'dendrite'];

/** A mistake and where it is made. */
interface BrokenCell {
  readonly variant: BrokenVariant;
  readonly host: LabHost;
  readonly plan: Plan;
}

/** One cell's servers while they are up. */
interface Cell {
  readonly row: Row;
  readonly home: Home;
  readonly witness: Witness;
  pair: Pair | null;
}

async function main(): Promise<number> {
  const owner = Number(process.env.PORTICO_LAB_OWNER);
  const host = (name: HostName): LabHost => hostOf(name, owner);
  const chosen = process.argv.slice(2);
  const forms = FORMS.filter(({ id }) => chosen.length === 0 || chosen.includes(id));
  const directory = mkdtempSync(join(tmpdir(), 'portico-lab-'));
  // Each service has one of its own to end by, and a form has ten services.
  process.setMaxListeners(50);
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  // Ends the services by way of their own exit handlers; what is left on the hosts goes with them.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  const services: Service[] = [];
  const started = performance.now();
  const seconds = (): string => `${Math.round((performance.now() - started) / 1000)} s`;
  const rows: Row[] = [];
  const seen: BrokenRow[] = [];
  let peer: Home | undefined;
  try {
    const ca = await createTestCa();
    const caFile = join(directory, 'ca.pem');
    writeFileSync(caFile, ca.ca);
    const commands = new Commands(caFile, host('dns').ipv4);
    const witnessOf = (kind: HomeserverKind): Promise<Witness> =>
      Witness.start(host(kind), host('peer'), [HOMESERVER_PORT, FEDERATION_PORT]);
    const broken = BROKEN.map((variant, at): BrokenCell => {
      const own = host(at % 2 === 0 ? 'dendrite' : 'synapse');
      return { variant, host: own, plan: variant.plan(own, host('web')) };
    });
    const plans = FORMS.flatMap((form) => KINDS.map((kind) => form.plan(kind, host(kind), host('web'))));
    const ownPlan = peerPlan(host('peer'));
    const all = [...plans, ownPlan, ...broken.map(({ plan }) => plan)];
    const records = all.flatMap((plan) => plan.records);
    const webSites = all.flatMap(({ web }) => (web === null ? [] : [web]));
    services.push(await startDns(host('dns'), join(directory, 'dns'), ZONE, records));
    services.push(await startWeb(host('web'), join(directory, 'web'), ca, webSites));
    peer = await Home.start('synapse', ownPlan, host('peer'), ca, join(directory, 'peer'));
    console.log(`lab: ${ownPlan.serverName}, DNS and the other web server are up after ${seconds()}`);
    for (const form of forms) {
      rows.push(
        ...(await runForm(form, peer, commands, witnessOf, (kind) =>
          Home.start(
            kind,
            form.plan(kind, host(kind), host('web')),
            host(kind),
            ca,
            join(directory, `${form.id}-${kind}`),
          ),
        )),
      );
      console.log(`lab: ${form.title}: done after ${seconds()}`);
    }
    const to = peer;
    if (chosen.length === 0 || chosen.includes('broken')) {
      for (let at = 0; at < broken.length; at += 2) {
        const two = broken.slice(at, at + 2);
        seen.push(...(await Promise.all(two.map((cell) => runBroken(cell, to, ca, directory, commands)))));
      }
      console.log(`lab: ${broken.length} broken ones: done after ${seconds()}`);
    }
  } finally {
    await peer?.stop().catch((error: unknown) => console.error(error));
    for (const service of services.reverse()) await service.stop();
  }
  const failures = [...failuresOf(rows), ...brokenFailuresOf(seen)];
  if (rows.length > 0) console.log(`\n${tableOf(rows)}`);
  if (seen.length > 0) console.log(`\n${brokenTableOf(seen)}`);
  console.log('');
  for (const failure of failures) console.log(`FAILED: ${failure}`);
  const count = rows.length + seen.length;
  console.log(`lab: ${count} rows, ${failures.length} checks failed, ${seconds()}`);
  return failures.length === 0 && count > 0 ? 0 : 1;
}

/** Both homeservers in one form, at the same time; the peer's restart is theirs together. */
async function runForm(
  form: Form,
  peer: Home,
  commands: Commands,
  watch: (kind: HomeserverKind) => Promise<Witness>,
  start: (kind: HomeserverKind) => Promise<Home>,
): Promise<Row[]> {
  const rows = KINDS.map((kind): Row => ({ form: form.title, homeserver: kind, outcomes: new Map() as Outcomes }));
  const cells: Cell[] = [];
  const each = async (act: (cell: Cell, pair: Pair) => Promise<void>): Promise<void> => {
    await Promise.all(cells.map(async (cell) => (cell.pair === null ? null : act(cell, cell.pair))));
  };
  try {
    await Promise.all(
      rows.map(async (row, at) => {
        const kind = KINDS[at] ?? 'synapse';
        const home = await start(kind);
        try {
          cells.push({ row, home, witness: await watch(kind), pair: null });
        } catch (error) {
          await home.stop();
          throw error;
        }
      }),
    );
    await Promise.all(cells.map(async (cell) => (cell.pair = await meet(cell.home, peer, cell.witness, commands))));
    await each((cell, pair) => checkPair(pair, cell.row.outcomes));
    await each(async (cell, pair) => {
      await cell.home.restartPortico();
      await checkAfterRestart(pair, cell.row.outcomes, 'restart');
    });
    await peer.restartPortico();
    await each((cell, pair) => checkAfterRestart(pair, cell.row.outcomes, 'peer restart'));
  } catch (error) {
    // The row shows what was not reached; the other forms go on.
    console.error(`lab: ${form.title}: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    for (const { row, home } of cells) {
      if (failuresOf([row]).length > 0) console.error(home.describeLogs());
    }
    await Promise.all(
      cells.map(async ({ home, witness }) => {
        await witness.stop();
        await home.stop().catch((error: unknown) => console.error(error));
      }),
    );
  }
  return rows;
}

/** One mistake, as a peer and as the doctor see it. */
async function runBroken(
  { variant, host, plan }: BrokenCell,
  peer: Home,
  ca: TestCa,
  directory: string,
  commands: Commands,
): Promise<BrokenRow> {
  let home: Home | undefined;
  try {
    home = await Home.start('dendrite', plan, host, ca, join(directory, variant.id), variant.front);
    const seen = await seenFrom(peer, home);
    const findings = await commands.doctor(plan.serverName, home.configPath);
    return { variant, seen, findings, withoutConfig: await commands.doctor(plan.serverName, null) };
  } catch (error) {
    return { variant, seen: error instanceof Error ? error.message : String(error), findings: [], withoutConfig: [] };
  } finally {
    await home?.stop().catch((error: unknown) => console.error(error));
  }
}

process.exitCode = await main();
