/**
 * What is done over a pair of servers, and must work both ways. Each check stands by itself, so that one that fails does not
 * hide the others; what comes after a restart is done once more with what was there before it.
 */
import { createHash, randomBytes } from 'node:crypto';
import { MatrixRequestError, registerAccount } from '../harness/matrix-client.ts';
import type { MatrixClient } from '../harness/matrix-client.ts';
import { webRequest } from '../harness/web-request.ts';
import type { SeenByPeers } from './broken.ts';
import type { Commands } from './commands.ts';
import type { Home } from './home.ts';
import type { Witness } from './witness.ts';

const PASSWORD = 'correct horse battery staple';
const MEDIA_BYTES = 300_000;
const ODD_NAME = 'Ä/+=.%2F 日本 😀';

/** The columns of the table. */
export const CHECKS = [
  'client',
  'invite',
  'alias',
  'join',
  'messages',
  'media',
  'profile',
  'route',
  'resolve',
  'doctor',
  'restart',
  'peer restart',
] as const;
export type CheckName = (typeof CHECKS)[number];

/** How a check ended: null when it passed, else what went wrong. */
export type Outcomes = Map<CheckName, string | null>;

/** A user on each side, and the rooms they share; made once for each cell of the table. */
export interface Pair {
  readonly home: Home;
  readonly peer: Home;
  readonly alice: MatrixClient;
  readonly bob: MatrixClient;
  /** Saw what the peer did. */
  readonly witness: Witness;
  readonly commands: Commands;
  /** Rooms that both are in. */
  readonly rooms: string[];
}

let names = 0;

/** Registers the users, one on each side. */
export async function meet(home: Home, peer: Home, witness: Witness, commands: Commands): Promise<Pair> {
  names += 1;
  // What signed URIs break on stands in the names as well.
  const local = `a/b=c.d-${names}`;
  const [alice, bob] = await Promise.all([
    registerAccount(home.client, local, PASSWORD),
    registerAccount(peer.client, `peer/${local}`, PASSWORD),
  ]);
  return { home, peer, alice, bob, witness, commands, rooms: [] };
}

interface Direction {
  readonly from: MatrixClient;
  readonly to: MatrixClient;
  readonly at: Home;
}

/** Both directions of a pair at the same time. */
async function bothWays({ home, peer, alice, bob }: Pair, act: (direction: Direction) => Promise<void>): Promise<void> {
  await Promise.all([act({ from: alice, to: bob, at: home }), act({ from: bob, to: alice, at: peer })]);
}

/** Somebody who knows only the server name gets to the client API, as apps do it (client-server API, well-known URI). */
async function client({ home }: Pair): Promise<void> {
  const host = home.plan.serverName.replace(/:\d+$/, '');
  const { ca } = home.client;
  const document = await webRequest({ base: `https://${host}`, ca, path: '/.well-known/matrix/client' });
  if (document.headers['access-control-allow-origin'] !== '*') throw new Error('browsers may not read the document');
  const found = JSON.parse(document.body.toString('utf8')) as { 'm.homeserver': { base_url: string } };
  const base = found['m.homeserver'].base_url.replace(/\/$/, '');
  if (base !== home.plan.clientUrl) throw new Error(`clients are sent to ${base}`);
  const { status } = await webRequest({ base, ca, path: '/_matrix/client/versions' });
  if (status !== 200) throw new Error(`${base} answers ${status}`);
}

async function invite(pair: Pair): Promise<void> {
  await bothWays(pair, async ({ from, to, at }) => {
    const room = await from.createRoom({ preset: 'private_chat', invite: [to.userId], room_version: '11' });
    await to.join(room, [at.plan.serverName]);
    pair.rooms.push(room);
  });
}

/** The alias is found; it is joined by {@link join}. */
async function alias(pair: Pair, made: Map<Home, string>): Promise<void> {
  await bothWays(pair, async ({ from, to, at }) => {
    const room = await from.createRoom({ room_version: '11' });
    // Synapse makes no alias with white space in it; Dendrite does.
    const space = at.kind === 'dendrite' ? 'with space ' : '';
    const name = `#${space}literal%2Fand/ünïcode+日本-😀-${from.userId.split(':')[0] ?? ''}:${at.plan.serverName}`;
    await from.setAlias(name, room);
    const found = await to.resolveAlias(name);
    if (found !== room) throw new Error(`${name} leads to ${found} instead of ${room}`);
    made.set(at, name);
  });
}

async function join(pair: Pair, made: Map<Home, string>): Promise<void> {
  await bothWays(pair, async ({ to, at }) => {
    const name = made.get(at);
    if (name === undefined) throw new Error('there is no alias to join by');
    pair.rooms.push(await to.join(name));
  });
}

async function messages(pair: Pair, what = 'a message'): Promise<void> {
  const [room] = pair.rooms.slice(-1);
  if (room === undefined) throw new Error('there is no room that both are in');
  await bothWays(pair, async ({ from, to }) => {
    const text = `${what} of ${from.userId}: ünïcode 日本 😀`;
    const sent = await from.send(room, text);
    const received = await to.waitForMessage(room, text);
    if (received.event_id !== sent) throw new Error(`${text} arrived as another event`);
  });
}

async function media(pair: Pair): Promise<void> {
  const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
  await bothWays(pair, async ({ from, to }) => {
    const content = randomBytes(MEDIA_BYTES);
    const back = await to.download(await from.upload(content, 'söme file.bin'));
    if (digest(back) !== digest(content)) throw new Error(`media of ${from.userId} arrived changed`);
  });
}

async function profile(pair: Pair): Promise<void> {
  await bothWays(pair, async ({ from, to }) => {
    await from.setDisplayName(ODD_NAME);
    const seen = await to.displayName(from.userId);
    if (seen !== ODD_NAME) throw new Error(`${from.userId} is called ${seen}`);
  });
}

/** Peers came in where the form sends them, and nowhere else. */
async function route({ home }: Pair): Promise<void> {
  const count = await home.connections('federation');
  const entered = count > 0 ? 'federation' : 'https';
  if (entered !== home.plan.enters) throw new Error(`peers came to the ${entered} listener`);
}

/** `portico resolve` names the place that the peer went to, with the SNI and the Host that it sent. */
async function resolve({ home, witness, commands }: Pair): Promise<void> {
  const { serverName } = home.plan;
  const { hellos, requests } = witness.seen();
  if (requests.length === 0)
    throw new Error(`no request of the peer was seen, only ${JSON.stringify(hellos)}\n${witness.describeLog()}`);
  const [result] = await commands.resolve(serverName);
  if (result === undefined) throw new Error('nowhere to connect to');
  const name = serverName.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  // The peer goes on to look for the servers of other forms, which had the same addresses.
  const own = hellos.filter(({ address, sni }) =>
    sni === null ? address === name : sni === name || sni.endsWith(`.${name}`),
  );
  // Before it knows where to go it may have asked the server name for the document.
  const entries = own.filter(({ port, sni }) => port === result.port && !(port === 443 && sni === name));
  const text = JSON.stringify({ result, entries, hosts: [...new Set(requests.map(({ host }) => host))] });
  if (entries.length === 0) throw new Error(`the peer did not come to that port: ${text}`);
  for (const { address, sni } of entries) {
    if (!result.addresses.includes(address)) throw new Error(`the peer came to another address: ${text}`);
    if (sni !== result.sni) throw new Error(`the peer sent another SNI: ${text}`);
  }
  if (requests.some(({ host }) => host !== result.host)) throw new Error(`the peer sent another Host: ${text}`);
}

/** `portico doctor` finds no error, and what else it says is what the form is known for; with the config and without it. */
async function doctor({ home, commands }: Pair): Promise<void> {
  const { serverName, findings } = home.plan;
  for (const config of [home.configPath, null]) {
    const found = await commands.doctor(serverName, config);
    const codes = found.map(({ code }) => code);
    const wrong = found.some(({ severity }) => severity === 'error') || codes.join() !== findings.join();
    if (!wrong) continue;
    const seen = found.map(({ severity, code, seen: what }) => `${severity} ${code}: ${what}`).join(' ');
    const how = config === null ? 'without' : 'with';
    throw new Error(`${how} the config: ${seen || 'nothing'} Expected: ${findings.join(', ') || 'nothing'}.`);
  }
}

/** Runs a check and keeps how it ended. */
async function record(outcomes: Outcomes, name: CheckName, act: () => Promise<void>): Promise<void> {
  try {
    await act();
    outcomes.set(name, null);
  } catch (error) {
    outcomes.set(name, error instanceof Error ? error.message : String(error));
  }
}

/** Everything before a restart. */
export async function checkPair(pair: Pair, outcomes: Outcomes): Promise<void> {
  const made = new Map<Home, string>();
  await record(outcomes, 'client', () => client(pair));
  await record(outcomes, 'invite', () => invite(pair));
  await record(outcomes, 'alias', () => alias(pair, made));
  await record(outcomes, 'join', () => join(pair, made));
  await record(outcomes, 'messages', () => messages(pair));
  await record(outcomes, 'media', () => media(pair));
  await record(outcomes, 'profile', () => profile(pair));
  await record(outcomes, 'route', () => route(pair));
  await record(outcomes, 'resolve', () => resolve(pair));
  await record(outcomes, 'doctor', () => doctor(pair));
}

/** What must go on after a restart: messages in the old room, and the join of a new one. */
export async function checkAfterRestart(
  pair: Pair,
  outcomes: Outcomes,
  name: 'restart' | 'peer restart',
): Promise<void> {
  await record(outcomes, name, async () => {
    await messages(pair, `after ${name}`);
    await invite(pair);
  });
}

/** What a user of the peer sees of a server that may be broken. */
export async function seenFrom(peer: Home, home: Home): Promise<SeenByPeers> {
  names += 1;
  const [alice, bob] = await Promise.all([
    // The front may be what is broken.
    registerAccount(home.direct, `alice${names}`, PASSWORD),
    registerAccount(peer.client, `bob/${names}`, PASSWORD),
  ]);
  const room = await alice.createRoom({ room_version: '11' });
  const name = `#room-${names}:${home.plan.serverName}`;
  await Promise.all([alice.setDisplayName(ODD_NAME), alice.setAlias(name, room)]);
  const works = async (ask: Promise<string>, expected: string): Promise<boolean> => {
    try {
      return (await ask) === expected;
    } catch (error) {
      if (error instanceof MatrixRequestError) return false;
      throw error;
    }
  };
  const profile = await works(bob.displayName(alice.userId), ODD_NAME);
  return { profile, join: await works(bob.join(name), room) };
}
