/**
 * The only file that knows the package acme-client, which signs requests and keeps to the order of ACME's messages. Its gaps
 * are closed here: every request goes out by {@link AcmeTransport} (bounded in time and size, aborted by signal, no redirects),
 * every problem document comes back as an {@link AcmeProblem} before the package makes it a sentence, and whatever is repeated
 * is repeated here, counted, and with waits that have a bound. docs/decisions/0007 has the reasons.
 *
 * Loading it costs a sixth of a second, so only what really speaks to an authority imports it.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { axios, Client as Library } from 'acme-client';
import type { Clock } from '../base/clock.ts';
import { PorticoError } from '../base/errors.ts';
import type { Store } from '../store/store.ts';
import { AcmeAccount } from './account.ts';
import type { AccountDesk, KnownAccount } from './account.ts';
import { alternateLinks } from './alternate-links.ts';
import { readRenewalInfo } from './ari.ts';
import { httpsUrl, readDirectory } from './directory.ts';
import type { AcmeDirectory } from './directory.ts';
import type { AcmeIdentifier } from './identifier.ts';
import type { AcmeIssuer } from './issuer.ts';
import { pauseFor } from './pause.ts';
import type { Pause } from './pause.ts';
import { poll } from './poll.ts';
import type { Pacing, Polled } from './poll.ts';
import { AcmeProblem, readProblem } from './problem.ts';
import type { RenewalInfo } from './renewal-info.ts';
import { repeated } from './repeat.ts';
import type { RepeatKind } from './repeat.ts';
import { readAuthorization, readOrder } from './resources.ts';
import type { AcmeAuthorization, AcmeOrder } from './resources.ts';
import { parseRetryAfter } from './retry-after.ts';
import { AcmeTransport, DEFAULT_ACME_LIMITS } from './transport.ts';
import type { AcmeHttpLimits, AcmeHttpResponse } from './transport.ts';

export type { AcmeIssuer } from './issuer.ts';

/** What a client works with; the store must be locked. */
export interface AcmeClientDeps {
  readonly store: Store;
  readonly clock: Clock;
  /** Waits; default: by a timer. */
  readonly pause?: Pause;
  readonly limits?: AcmeHttpLimits;
}

/** What is ordered (RFC 8555 §7.4). */
export interface NewOrder {
  readonly identifiers: readonly AcmeIdentifier[];
  readonly profile: string | null;
  readonly replaces: string | null;
}

/**
 * One authority and the account there. Every method throws `AcmeProblem` when the authority refuses, and PorticoError
 * `ACME_UNREACHABLE`, `ACME_RESPONSE_INVALID` or `ACME_ABORTED`.
 */
export interface AcmeClient {
  readonly issuer: AcmeIssuer;
  /** The account's URL; another one after the authority lost the account. */
  readonly accountUri: string;
  /** Names of the profiles that the directory lists (as last read, an hour ago at most); null: it knows none. */
  profiles(): readonly string[] | null;
  /**
   * Places an order. When the authority no longer knows the account, a new one is made, once.
   * @throws PorticoError `ACME_PROFILE_UNKNOWN` before the authority is asked
   */
  newOrder(order: NewOrder, signal: AbortSignal): Promise<AcmeOrder>;
  order(url: string, signal: AbortSignal): Promise<AcmeOrder>;
  /** Asks until `done` says so or the time is over, and returns what it saw last. */
  pollOrder(url: string, done: (order: AcmeOrder) => boolean, limitMs: number, signal: AbortSignal): Promise<AcmeOrder>;
  authorization(url: string, signal: AbortSignal): Promise<AcmeAuthorization>;
  /** Asks until the status is no longer `pending` or the time is over, and returns what it saw last. */
  pollAuthorization(url: string, limitMs: number, signal: AbortSignal): Promise<AcmeAuthorization>;
  /** RFC 8555 §8.1. */
  keyAuthorization(token: string): Promise<string>;
  /** Tells the authority that it may validate now (RFC 8555 §7.5.1). */
  startChallenge(url: string, signal: AbortSignal): Promise<void>;
  /** @param request - PEM */
  finalize(order: AcmeOrder, request: string, signal: AbortSignal): Promise<AcmeOrder>;
  /** The chain at a certificate's URL, and the URLs of its alternates (RFC 8555 §7.4.2), 8 at most. Nothing is checked. */
  download(
    url: string,
    signal: AbortSignal,
  ): Promise<{ readonly chain: string; readonly alternates: readonly string[] }>;
  /**
   * @param certId - see `ariCertId`
   * @returns null when the authority has no renewal information, or does not know the certificate
   * @throws PorticoError `ACME_ARI_INVALID`
   */
  renewalInfo(certId: string, signal: AbortSignal): Promise<RenewalInfo | null>;
  /** Gives the account a new key, stored before it is used. Not while an order is under way. */
  keyRollover(signal: AbortSignal): Promise<void>;
  /** Gives back what the client holds; nothing may be under way. */
  close(): void;
}

/**
 * Reads the directory, and makes the account unless the store has it. One client an issuer is enough, for any number of orders
 * at once; two must not be opened at the same time.
 * @throws AcmeProblem when the authority makes no account; PorticoError `ACME_UNREACHABLE`, `ACME_DIRECTORY_INVALID`,
 * `ACME_ACCOUNT_BROKEN`, `ACME_RESPONSE_INVALID`, `ACME_ABORTED`, and what the store throws
 */
export async function openAcmeClient(
  issuer: AcmeIssuer,
  deps: AcmeClientDeps,
  signal: AbortSignal,
): Promise<AcmeClient> {
  const client = new PacedClient(issuer, deps);
  try {
    await client.open(signal);
  } catch (error) {
    client.close();
    throw error;
  }
  return client;
}

const MAX_SPARE_NONCES = 16;
const DIRECTORY_AGE_MS = 60 * 60 * 1000;

/** One request of the library, from the call that caused it to the wire. */
interface Exchange {
  readonly client: PacedClient;
  readonly signal: AbortSignal;
  last: AcmeHttpResponse | null;
}

/** The library's requests carry no trace of who made them; this does. */
const exchanges = new AsyncLocalStorage<Exchange>();

// The library repeats failed requests by itself only when an error of its HTTP client comes up, which never happens below: an
// answer of whatever status is an answer, and errors are ours.
axios.defaults.adapter = async (config) => {
  const exchange = exchanges.getStore();
  if (exchange === undefined) throw new Error('acme-client was used without a client of ours');
  const body = typeof config.data === 'string' ? config.data : null;
  const method = (config.method ?? 'get').toUpperCase();
  const response = await exchange.client.exchange(exchange, method, config.url ?? '', body);
  const { status, headers } = response;
  return { data: parsedBody(response), status, statusText: '', headers, config };
};

class PacedClient implements AcmeClient {
  readonly issuer: AcmeIssuer;
  readonly #deps: AcmeClientDeps;
  readonly #transport: AcmeTransport;
  readonly #pause: Pause;
  #directory: { readonly content: AcmeDirectory; readonly readAt: number } | null = null;
  #account: AcmeAccount | null = null;
  #library: { readonly key: string; readonly client: Library } | null = null;
  #spareNonces: string[] = [];
  #replacing: Promise<void> | null = null;
  /** URL of the account that was made in place of a lost one and has not proved itself. */
  #unproven: string | null = null;

  constructor(issuer: AcmeIssuer, deps: AcmeClientDeps) {
    this.issuer = issuer;
    this.#deps = deps;
    this.#pause = deps.pause ?? pauseFor;
    this.#transport = new AcmeTransport(issuer.caPem, deps.limits ?? DEFAULT_ACME_LIMITS);
  }

  async open(signal: AbortSignal): Promise<void> {
    await this.#freshDirectory(signal);
    const { store, clock } = this.#deps;
    const { id: issuerId, directoryUrl, email: contact } = this.issuer;
    const desk = this.#desk();
    this.#account = await AcmeAccount.open({ store, clock, issuerId, directoryUrl, contact, desk }, signal);
  }

  close(): void {
    this.#transport.close();
  }

  get accountUri(): string {
    return this.#current().url;
  }

  profiles(): readonly string[] | null {
    const profiles = this.#directory?.content.profiles ?? null;
    return profiles === null ? null : [...profiles.keys()];
  }

  async newOrder(order: NewOrder, signal: AbortSignal): Promise<AcmeOrder> {
    await this.#freshDirectory(signal);
    this.#checkProfile(order.profile);
    const account = this.accountUri;
    try {
      const placed = await this.#placeOrder(order, signal);
      this.#unproven = null;
      return placed;
    } catch (error) {
      const isLost = error instanceof AcmeProblem && error.type === 'accountDoesNotExist';
      if (!isLost || account === this.#unproven) throw error;
      if (account === this.accountUri) await this.#replaceLostAccount(signal);
      return this.#placeOrder(order, signal);
    }
  }

  async order(url: string, signal: AbortSignal): Promise<AcmeOrder> {
    return (await this.#readOrder(url, signal)).value;
  }

  async pollOrder(
    url: string,
    done: (order: AcmeOrder) => boolean,
    limitMs: number,
    signal: AbortSignal,
  ): Promise<AcmeOrder> {
    return poll(() => this.#readOrder(url, signal), done, limitMs, this.#pacing(signal));
  }

  async authorization(url: string, signal: AbortSignal): Promise<AcmeAuthorization> {
    return (await this.#readAuthorization(url, signal)).value;
  }

  async pollAuthorization(url: string, limitMs: number, signal: AbortSignal): Promise<AcmeAuthorization> {
    const done = (authorization: AcmeAuthorization): boolean => authorization.status !== 'pending';
    return poll(() => this.#readAuthorization(url, signal), done, limitMs, this.#pacing(signal));
  }

  async keyAuthorization(token: string): Promise<string> {
    // For this type the library returns the key authorization itself; the other members are not looked at.
    return this.#signer().getChallengeKeyAuthorization({ type: 'http-01', token, url: '', status: 'pending' });
  }

  async startChallenge(url: string, signal: AbortSignal): Promise<void> {
    const challenge = { type: 'http-01', token: '', url, status: 'pending' } as const;
    await this.#call(signal, 'once', () => this.#signer().completeChallenge(challenge));
  }

  async finalize(order: AcmeOrder, request: string, signal: AbortSignal): Promise<AcmeOrder> {
    const { value } = await this.#call(signal, 'once', () =>
      this.#signer().finalizeOrder(libraryOrder({ url: order.url, finalize: order.finalize }), request),
    );
    return readOrder(value, order.url);
  }

  async download(
    url: string,
    signal: AbortSignal,
  ): Promise<{ readonly chain: string; readonly alternates: readonly string[] }> {
    const order = libraryOrder({ status: 'valid', certificate: url });
    const { value, last } = await this.#call(signal, 'repeat', () => this.#signer().getCertificate(order));
    if (typeof value !== 'string') {
      throw new PorticoError(
        'ACME_RESPONSE_INVALID',
        'The certificate authority sent something else than a certificate.',
        {
          fix: 'Portico tries again; if it stays, the fault is with the authority.',
        },
      );
    }
    return { chain: value, alternates: alternateLinks(last?.headers.link) };
  }

  async renewalInfo(certId: string, signal: AbortSignal): Promise<RenewalInfo | null> {
    const base = (await this.#freshDirectory(signal)).renewalInfo;
    if (base === null) return null;
    const url = `${base.replace(/\/$/, '')}/${certId}`;
    const response = await this.#repeated(signal, 'repeat', async () => {
      const answer = await this.#send('GET', url, null, signal);
      // Only an answer that asks for a moment is worth another try here; the rest is read by its status.
      if (answer.status === 429 || answer.status >= 500) throw this.#problemOf(answer);
      return answer;
    });
    return readRenewalInfo(response, this.#deps.clock.now());
  }

  async keyRollover(signal: AbortSignal): Promise<void> {
    await this.#freshDirectory(signal);
    await this.#opened().rollOver(signal);
  }

  /** Called by the library's HTTP client for every request it makes. */
  async exchange(exchange: Exchange, method: string, url: string, body: string | null): Promise<AcmeHttpResponse> {
    const directory = this.#directory?.content;
    if (method === 'GET' && url === this.issuer.directoryUrl && directory !== undefined) {
      return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(directory.raw) };
    }
    const spare = method === 'HEAD' && url === directory?.newNonce ? this.#spareNonces.pop() : undefined;
    if (spare !== undefined) return { status: 200, headers: { 'replay-nonce': spare }, body: '' };
    const wire = method === 'POST' || method === 'HEAD' ? method : 'GET';
    const response = await this.#send(wire, url, body, exchange.signal);
    exchange.last = response;
    const nonce = response.headers['replay-nonce'];
    // The answer to HEAD is for the request that the library is about to make.
    const isSpare = wire === 'POST' && nonce !== undefined && /^[\w-]{1,512}$/.test(nonce);
    if (response.status < 400) {
      if (isSpare) this.#keepNonce(nonce);
      return response;
    }
    const problem = this.#problemOf(response);
    // The others are of the same age.
    if (problem.type === 'badNonce') this.#spareNonces = [];
    if (isSpare) this.#keepNonce(nonce);
    throw problem;
  }

  #keepNonce(nonce: string): void {
    this.#spareNonces.push(nonce);
    if (this.#spareNonces.length > MAX_SPARE_NONCES) this.#spareNonces.shift();
  }

  async #send(
    method: 'GET' | 'HEAD' | 'POST',
    url: string,
    body: string | null,
    signal: AbortSignal,
  ): Promise<AcmeHttpResponse> {
    const headers = {
      'user-agent': 'Portico (Matrix reverse proxy) acme-client/5.4.0',
      'accept-language': 'en',
      ...(body !== null && { 'content-type': 'application/jose+json' }),
    };
    const response = await this.#transport.send({ method, url, headers, body }, signal);
    if (response.status < 300 || response.status >= 400 || url === this.issuer.directoryUrl) return response;
    throw new PorticoError(
      'ACME_RESPONSE_INVALID',
      `The certificate authority answers ${url} with a redirect, which is not followed.`,
      { fix: 'Check acme.directory; a proxy on the way may have answered instead of the authority.' },
    );
  }

  #problemOf(response: AcmeHttpResponse): AcmeProblem {
    let document: unknown = null;
    try {
      document = JSON.parse(response.body);
    } catch {
      // An error page or nothing: the status says what there is to say.
    }
    const retryAfterMs = parseRetryAfter(response.headers['retry-after'], this.#deps.clock.now());
    return readProblem(document, { status: response.status, retryAfterMs });
  }

  async #placeOrder(order: NewOrder, signal: AbortSignal): Promise<AcmeOrder> {
    const { identifiers, profile, replaces } = order;
    const request = {
      identifiers: identifiers.map(({ type, value }) => ({ type, value })),
      ...(profile !== null && { profile }),
      ...(replaces !== null && { replaces }),
    };
    const { value } = await this.#call(signal, 'once', () => this.#signer().createOrder(request));
    const url = httpsUrl(value.url);
    if (url === null) {
      throw new PorticoError('ACME_RESPONSE_INVALID', 'The certificate authority gave a new order no https address.', {
        fix: 'Portico tries again; if it stays, the fault is with the authority.',
      });
    }
    return readOrder(value, url);
  }

  async #readOrder(url: string, signal: AbortSignal): Promise<Polled<AcmeOrder>> {
    const { value, last } = await this.#call(signal, 'repeat', () => this.#signer().getOrder(libraryOrder({ url })));
    return { value: readOrder(value, url), retryAfterMs: this.#retryAfter(last) };
  }

  async #readAuthorization(url: string, signal: AbortSignal): Promise<Polled<AcmeAuthorization>> {
    const { value, last } = await this.#call(signal, 'repeat', () =>
      this.#signer().getAuthorizations(libraryOrder({ authorizations: [url] })),
    );
    return { value: readAuthorization(value[0], url), retryAfterMs: this.#retryAfter(last) };
  }

  #pacing(signal: AbortSignal): Pacing {
    return { clock: this.#deps.clock, pause: (wait) => this.#pause(wait, signal) };
  }

  #retryAfter(response: AcmeHttpResponse | null): number | null {
    return parseRetryAfter(response?.headers['retry-after'], this.#deps.clock.now());
  }

  /** The directory, read again when it is old: profiles come and go. */
  async #freshDirectory(signal: AbortSignal): Promise<AcmeDirectory> {
    const now = this.#deps.clock.monotonic();
    if (this.#directory !== null && now - this.#directory.readAt < DIRECTORY_AGE_MS) return this.#directory.content;
    const url = this.issuer.directoryUrl;
    const content = await this.#repeated(signal, 'repeat', async () => {
      const response = await this.#send('GET', url, null, signal);
      if (response.status === 429 || response.status === 503) throw this.#problemOf(response);
      return readDirectory(url, response);
    });
    this.#directory = { content, readAt: now };
    // The library keeps a copy of the directory.
    this.#library = null;
    return content;
  }

  #checkProfile(profile: string | null): void {
    const offered = this.profiles() ?? [];
    if (profile === null || offered.includes(profile)) return;
    const list = offered.length === 0 ? 'it offers none' : `it offers ${offered.join(', ')}`;
    throw new PorticoError(
      'ACME_PROFILE_UNKNOWN',
      `${this.issuer.name} does not offer the certificate profile ${JSON.stringify(profile)}; ${list}.`,
      { fix: 'Set acme.profile to one that is offered, or remove it.' },
    );
  }

  /** Several orders may find at the same time that the account is lost. */
  async #replaceLostAccount(signal: AbortSignal): Promise<void> {
    this.#replacing ??= this.#opened()
      .replaceLost(signal)
      .then(() => {
        this.#unproven = this.accountUri;
      })
      .finally(() => {
        this.#replacing = null;
      });
    await this.#replacing;
  }

  #desk(): AccountDesk {
    const contactOf = (email: string | null): string[] => (email === null ? [] : [`mailto:${email}`]);
    return {
      register: async (key, email, signal) => {
        const library = this.#libraryFor(key);
        const request = { termsOfServiceAgreed: true, contact: contactOf(email) };
        await this.#call(signal, 'once', () => library.createAccount(request));
        return accountUrlOf(library);
      },
      find: async (key, signal) => {
        const library = this.#libraryFor(key);
        try {
          await this.#call(signal, 'once', () => library.createAccount({ onlyReturnExisting: true }));
        } catch (error) {
          if (error instanceof AcmeProblem && error.type === 'accountDoesNotExist') return null;
          throw error;
        }
        return accountUrlOf(library);
      },
      changeContact: async ({ key, url }, email, signal) => {
        const library = this.#libraryFor(key, url);
        await this.#call(signal, 'once', () => library.updateAccount({ contact: contactOf(email) }));
      },
      changeKey: async ({ key, url }, newKey, signal) => {
        const library = this.#libraryFor(key, url);
        await this.#call(signal, 'once', () => library.updateAccountKey(newKey));
      },
    };
  }

  #libraryFor(key: string, url?: string): Library {
    const { eab, directoryUrl } = this.issuer;
    return new Library({
      directoryUrl,
      accountKey: key,
      ...(url !== undefined && { accountUrl: url }),
      ...(eab !== null && {
        externalAccountBinding: { kid: eab.kid, hmacKey: eab.hmacKey.toString('base64url') },
      }),
    });
  }

  #signer(): Library {
    const { key, url } = this.#current();
    if (this.#library?.key !== key + url) this.#library = { key: key + url, client: this.#libraryFor(key, url) };
    return this.#library.client;
  }

  #current(): KnownAccount {
    return this.#opened().current;
  }

  #opened(): AcmeAccount {
    if (this.#account === null) throw new Error('the client is not open');
    return this.#account;
  }

  /** One call of the library, and the last answer that it got. */
  async #call<Value>(
    signal: AbortSignal,
    kind: RepeatKind,
    call: () => Promise<Value>,
  ): Promise<{ readonly value: Value; readonly last: AcmeHttpResponse | null }> {
    return this.#repeated(signal, kind, async () => {
      const exchange: Exchange = { client: this, signal, last: null };
      const value = await exchanges.run(exchange, call);
      return { value, last: exchange.last };
    });
  }

  async #repeated<Value>(signal: AbortSignal, kind: RepeatKind, attempt: () => Promise<Value>): Promise<Value> {
    return repeated(attempt, kind, (wait) => this.#pause(wait, signal));
  }
}

/** Most answers are JSON; a certificate stays text. */
function parsedBody({ headers, body }: AcmeHttpResponse): unknown {
  const isJson = /^application\/(?:[\w.+-]+\+)?json\b/i.test(headers['content-type'] ?? '');
  if (!isJson || body === '') return body;
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw new PorticoError(
      'ACME_RESPONSE_INVALID',
      'An answer of the certificate authority says it is JSON, and is not.',
      {
        fix: 'Portico tries again; if it stays, the fault is with the authority, or with a proxy on the way.',
        cause,
      },
    );
  }
}

/** The library's type of an order has more members than those that its methods look at. */
function libraryOrder(part: {
  readonly url?: string;
  readonly status?: string;
  readonly finalize?: string;
  readonly certificate?: string;
  readonly authorizations?: string[];
}): Parameters<Library['getOrder']>[0] {
  return part as Parameters<Library['getOrder']>[0];
}

function accountUrlOf(library: Library): string {
  const url = httpsUrl(library.getAccountUrl());
  if (url !== null) return url;
  throw new PorticoError('ACME_RESPONSE_INVALID', 'The certificate authority gave the account no https address.', {
    fix: 'Portico tries again; if it stays, the fault is with the authority.',
  });
}
