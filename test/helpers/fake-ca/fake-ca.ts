/**
 * A small ACME authority on the loopback, which does what Pebble cannot be made to do: every message can be replaced or held
 * back by a test. What it does by itself is strict: signatures, nonces, URLs in headers, and CSRs are really checked, an order
 * that is not finalized is given back to whoever orders the same again (as Let's Encrypt does), and validated authorizations
 * are reused.
 */
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { randomBytes } from 'node:crypto';
import type { JsonWebKey } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createTestCa } from '../test-certificates.ts';
import { decodeJws, isMacOf, isSignedBy, thumbprint } from './jws.ts';
import type { Jws } from './jws.ts';
import { readRequest, Signer } from './signer.ts';

/** What a request is about. */
export type RequestKind =
  | 'directory'
  | 'newNonce'
  | 'newAccount'
  | 'account'
  | 'keyChange'
  | 'newOrder'
  | 'order'
  | 'authz'
  | 'challenge'
  | 'finalize'
  | 'certificate'
  | 'renewalInfo';

export interface CaRequest {
  readonly kind: RequestKind;
  readonly method: string;
  readonly path: string;
  /** Of this kind, from 1. */
  readonly count: number;
  readonly payload: unknown;
  readonly accountUrl: string | null;
}

export interface CaReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON. */
  readonly body?: unknown;
}

/** Where a test reaches in. */
export interface Faults {
  /** Instead of doing anything; null: do it. */
  before?: (request: CaRequest) => CaReply | null | Promise<CaReply | null>;
  /** After it is done; what is given back is sent. */
  after?: (request: CaRequest, reply: CaReply) => CaReply | Promise<CaReply>;
  /** Judges a challenge; default: it is proved when {@link FakeCa.proofs} has its key authorization. Null: proved. */
  validate?: (authz: Authz, challenge: Challenge, expected: string) => Problem | null;
}

export interface Problem {
  readonly type: string;
  readonly detail: string;
}

export interface Account {
  readonly url: string;
  jwk: JsonWebKey;
  contact: unknown;
}

export interface Challenge {
  readonly type: string;
  readonly url: string;
  readonly token?: string;
  status: string;
  error?: object;
}

export interface Authz {
  readonly url: string;
  readonly accountUrl: string;
  readonly identifier: { readonly type: string; readonly value: string };
  readonly wildcard: boolean;
  status: string;
  readonly challenges: Challenge[];
}

export interface Order {
  readonly url: string;
  readonly accountUrl: string;
  readonly identifiers: { readonly type: string; readonly value: string }[];
  readonly profile: string | null;
  readonly replaces: string | null;
  readonly authzs: Authz[];
  status: string;
  /** Polls that still see `processing`. */
  processing: number;
  certificate: Certificate | null;
  error?: object;
}

export interface Certificate {
  readonly url: string;
  readonly leaf: string;
  readonly certId: string;
  readonly accountUrl: string;
  replacedBy: string | null;
}

export interface FakeCaOptions {
  readonly profiles?: Readonly<Record<string, string>>;
  readonly eab?: { readonly kid: string; readonly hmacKey: Buffer };
  readonly challenges?: readonly string[];
  /** How many polls see an order `processing` after it was finalized. */
  readonly processingPolls?: number;
}

const URN = 'urn:ietf:params:acme:error:';

export class FakeCa {
  readonly signer: Signer;
  /** Trusted for the directory. */
  readonly tlsCaPem: string;
  readonly options: FakeCaOptions;
  readonly faults: Faults = {};
  /** Key authorizations that can be seen, by token. */
  readonly proofs = new Map<string, string>();
  readonly requests: CaRequest[] = [];
  accounts: Account[] = [];
  orders: Order[] = [];
  authzs: Authz[] = [];
  certificates: Certificate[] = [];
  readonly #server: Server;
  readonly #nonces = new Set<string>();
  readonly #held = new Set<ServerResponse>();
  #base = '';
  #number = 0;

  private constructor(server: Server, signer: Signer, tlsCaPem: string, options: FakeCaOptions) {
    this.#server = server;
    this.signer = signer;
    this.tlsCaPem = tlsCaPem;
    this.options = options;
  }

  static async start(options: FakeCaOptions = {}): Promise<FakeCa> {
    const tls = await createTestCa();
    const { cert, key } = await tls.issue(['127.0.0.1', 'localhost']);
    const server = createServer({ cert, key });
    const ca = new FakeCa(server, await Signer.create(['Fake Root A', 'Fake Root B']), tls.ca, options);
    server.on('request', (request, response) => void ca.#serve(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ca.#base = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return ca;
  }

  get directoryUrl(): string {
    return `${this.#base}/directory`;
  }

  /** Requests of one kind so far. */
  count(kind: RequestKind): number {
    return this.requests.filter((request) => request.kind === kind).length;
  }

  async close(): Promise<void> {
    for (const response of this.#held) response.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** The chain of a certificate under one of the roots. */
  chainOf(certificate: Certificate, root = 'Fake Root A'): string {
    return certificate.leaf + (this.signer.intermediates.get(root) ?? '');
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => {});
    this.#held.add(response);
    response.on('close', () => this.#held.delete(response));
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
      const reply = await this.#answer(incoming, Buffer.concat(chunks).toString());
      const nonce = randomBytes(12).toString('base64url');
      this.#nonces.add(nonce);
      const isText = typeof reply.body === 'string' || Buffer.isBuffer(reply.body);
      response.writeHead(reply.status, {
        'replay-nonce': nonce,
        'content-type': reply.status >= 400 ? 'application/problem+json' : 'application/json',
        ...reply.headers,
      });
      response.end(isText ? reply.body : JSON.stringify(reply.body ?? null));
    } catch (error) {
      response.writeHead(500, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify({ type: `${URN}serverInternal`, detail: `fake CA: ${String(error)}` }));
    }
  }

  async #answer(incoming: IncomingMessage, body: string): Promise<CaReply> {
    const path = incoming.url ?? '/';
    const kind = kindOf(path);
    const jws = incoming.method === 'POST' ? decodeJws(JSON.parse(body)) : null;
    const request: CaRequest = {
      kind,
      method: incoming.method ?? '',
      path,
      count: this.count(kind) + 1,
      payload: jws?.payload ?? null,
      accountUrl: jws?.header.kid ?? null,
    };
    this.requests.push(request);
    const instead = (await this.faults.before?.(request)) ?? null;
    if (instead !== null) return instead;
    const reply = jws === null ? this.#plain(kind, path) : await this.#signed(kind, path, jws);
    return (await this.faults.after?.(request, reply)) ?? reply;
  }

  #plain(kind: RequestKind, path: string): CaReply {
    if (kind === 'newNonce') return { status: 200 };
    if (kind === 'directory') {
      const { profiles, eab } = this.options;
      return {
        status: 200,
        body: {
          ...Object.fromEntries(
            ['newNonce', 'newAccount', 'newOrder', 'keyChange', 'renewalInfo'].map((name) => [
              name,
              `${this.#base}/${name}`,
            ]),
          ),
          meta: {
            termsOfService: `${this.#base}/terms`,
            ...(profiles && { profiles }),
            ...(eab && { externalAccountRequired: true }),
          },
        },
      };
    }
    const certificate = this.certificates.find(({ certId }) => path === `/renewalInfo/${certId}`);
    if (certificate === undefined) return problem(404, 'malformed', 'no such certificate');
    const start = new Date(Date.now() + 86_400_000).toISOString();
    const end = new Date(Date.now() + 2 * 86_400_000).toISOString();
    return { status: 200, headers: { 'retry-after': '21600' }, body: { suggestedWindow: { start, end } } };
  }

  async #signed(kind: RequestKind, path: string, jws: Jws): Promise<CaReply> {
    const { header } = jws;
    if (header.nonce === undefined || !this.#nonces.delete(header.nonce))
      return problem(400, 'badNonce', 'unknown nonce');
    if (header.url !== this.#base + path) return problem(401, 'unauthorized', `signed for another URL: ${header.url}`);
    if (kind === 'newAccount') return this.#newAccount(jws);
    const account = this.accounts.find(({ url }) => url === header.kid);
    if (account === undefined) return problem(400, 'accountDoesNotExist', `no account ${header.kid}`);
    if (!isSignedBy(jws, account.jwk)) return problem(401, 'malformed', 'the signature does not verify');
    const url = this.#base + path;
    switch (kind) {
      case 'account':
        if (jws.payload !== null) account.contact = (jws.payload as { contact?: unknown }).contact ?? account.contact;
        return { status: 200, body: { status: 'valid', contact: account.contact } };
      case 'keyChange':
        return this.#keyChange(account, jws);
      case 'newOrder':
        return this.#newOrder(account, jws.payload as NewOrderPayload);
      case 'order': {
        const order = this.orders.find((candidate) => candidate.url === url && candidate.accountUrl === account.url);
        return order === undefined ? problem(404, 'malformed', 'no such order') : this.#orderReply(order);
      }
      case 'authz': {
        const authz = this.authzs.find((candidate) => candidate.url === url && candidate.accountUrl === account.url);
        return authz === undefined ? problem(404, 'malformed', 'no such authorization') : { status: 200, body: authz };
      }
      case 'challenge':
        return this.#challenge(account, url);
      case 'finalize':
        return this.#finalize(url, jws.payload as { csr: string });
      case 'certificate':
        return this.#download(path);
      default:
        return problem(404, 'malformed', `nothing at ${path}`);
    }
  }

  #newAccount(jws: Jws): CaReply {
    const { jwk } = jws.header;
    if (jwk === undefined || !isSignedBy(jws, jwk)) return problem(400, 'malformed', 'the signature does not verify');
    const payload = jws.payload as {
      onlyReturnExisting?: boolean;
      contact?: unknown;
      termsOfServiceAgreed?: boolean;
      externalAccountBinding?: object;
    };
    const known = this.accounts.find((account) => thumbprint(account.jwk) === thumbprint(jwk));
    if (known !== undefined) return { status: 200, headers: { location: known.url }, body: { status: 'valid' } };
    if (payload.onlyReturnExisting === true) return problem(400, 'accountDoesNotExist', 'no account for this key');
    if (payload.termsOfServiceAgreed !== true) return problem(403, 'userActionRequired', 'agree to the terms');
    if (this.options.eab !== undefined && !this.#isBound(payload.externalAccountBinding, jwk)) {
      return problem(403, 'externalAccountRequired', 'bring an account of ours');
    }
    const account: Account = { url: this.#newUrl('account'), jwk, contact: payload.contact };
    this.accounts.push(account);
    return { status: 201, headers: { location: account.url }, body: { status: 'valid', contact: account.contact } };
  }

  #isBound(binding: object | undefined, jwk: JsonWebKey): boolean {
    const { eab } = this.options;
    if (eab === undefined || binding === undefined) return false;
    const jws = decodeJws(binding);
    const isSameKey = thumbprint(jws.payload as JsonWebKey) === thumbprint(jwk);
    return isMacOf(jws, eab.hmacKey) && jws.header.kid === eab.kid && isSameKey;
  }

  #keyChange(account: Account, outer: Jws): CaReply {
    const inner = decodeJws(outer.payload);
    const { jwk } = inner.header;
    const claim = inner.payload as { account: string; oldKey: JsonWebKey };
    const isFit =
      jwk !== undefined &&
      isSignedBy(inner, jwk) &&
      inner.header.url === `${this.#base}/keyChange` &&
      claim.account === account.url &&
      thumbprint(claim.oldKey) === thumbprint(account.jwk);
    if (!isFit) return problem(400, 'malformed', 'the inner JWS does not fit');
    account.jwk = jwk;
    return { status: 200, body: { status: 'valid' } };
  }

  #newOrder(account: Account, payload: NewOrderPayload): CaReply {
    const { identifiers, profile = null, replaces = null } = payload;
    if (profile !== null && !Object.hasOwn(this.options.profiles ?? {}, profile)) {
      return problem(400, 'invalidProfile', `no profile ${profile}`);
    }
    const same = this.orders.find(
      (order) =>
        order.accountUrl === account.url &&
        ['pending', 'ready'].includes(order.status) &&
        order.profile === profile &&
        JSON.stringify(order.identifiers) === JSON.stringify(identifiers),
    );
    if (same !== undefined) return { ...this.#orderReply(same), status: 201 };
    if (replaces !== null) {
      const old = this.certificates.find(({ certId }) => certId === replaces);
      if (old?.accountUrl !== account.url) return problem(404, 'malformed', 'no such certificate to replace');
      if (old.replacedBy !== null) return problem(409, 'alreadyReplaced', `replaced by ${old.replacedBy}`);
    }
    const order: Order = {
      url: this.#newUrl('order'),
      accountUrl: account.url,
      identifiers,
      profile:
        profile ?? (this.options.profiles === undefined ? null : (Object.keys(this.options.profiles)[0] ?? null)),
      replaces,
      authzs: identifiers.map((identifier) => this.#authzFor(account, identifier)),
      status: 'pending',
      processing: this.options.processingPolls ?? 0,
      certificate: null,
    };
    this.orders.push(order);
    return { ...this.#orderReply(order), status: 201 };
  }

  #authzFor(account: Account, { type, value }: { type: string; value: string }): Authz {
    const wildcard = value.startsWith('*.');
    const name = wildcard ? value.slice(2) : value;
    const valid = this.authzs.find(
      (authz) =>
        authz.accountUrl === account.url &&
        authz.status === 'valid' &&
        authz.identifier.value === name &&
        authz.wildcard === wildcard,
    );
    if (valid !== undefined) return valid;
    const types = wildcard ? ['dns-01'] : (this.options.challenges ?? ['http-01', 'tls-alpn-01', 'dns-01']);
    const authz: Authz = {
      url: this.#newUrl('authz'),
      accountUrl: account.url,
      identifier: { type, value: name },
      wildcard,
      status: 'pending',
      challenges: types.map((challenge) => ({
        type: challenge,
        url: this.#newUrl('challenge'),
        token: randomBytes(24).toString('base64url'),
        status: 'pending',
      })),
    };
    this.authzs.push(authz);
    return authz;
  }

  #challenge(account: Account, url: string): CaReply {
    const authz = this.authzs.find(({ challenges }) => challenges.some((challenge) => challenge.url === url));
    const challenge = authz?.challenges.find((candidate) => candidate.url === url);
    if (authz === undefined || challenge === undefined) return problem(404, 'malformed', 'no such challenge');
    if (authz.status !== 'pending') return problem(400, 'malformed', `the authorization is ${authz.status}`);
    const expected = `${challenge.token ?? ''}.${thumbprint(account.jwk)}`;
    const refusal = (this.faults.validate ?? this.#byProof)(authz, challenge, expected);
    challenge.status = refusal === null ? 'valid' : 'invalid';
    authz.status = challenge.status;
    if (refusal !== null) {
      challenge.error = { type: URN + refusal.type, detail: refusal.detail, status: 403 };
      for (const order of this.orders) if (order.authzs.includes(authz)) order.status = 'invalid';
    }
    return { status: 200, body: challenge };
  }

  readonly #byProof = (_authz: Authz, challenge: Challenge, expected: string): Problem | null =>
    this.proofs.get(challenge.token ?? '') === expected
      ? null
      : { type: 'unauthorized', detail: `expected ${expected}, saw ${this.proofs.get(challenge.token ?? '')}` };

  async #finalize(url: string, { csr }: { csr: string }): Promise<CaReply> {
    const order = this.orders.find((candidate) => url === candidate.url.replace('/order/', '/finalize/'));
    if (order === undefined) return problem(404, 'malformed', 'no such order');
    this.#refresh(order);
    if (order.status !== 'ready') return problem(403, 'orderNotReady', `the order is ${order.status}`);
    const request = await readRequest(Buffer.from(csr, 'base64url'));
    const wanted = order.identifiers.map(({ value }) => value).toSorted();
    const isAsOrdered = request?.subject === '' && JSON.stringify(request.names.toSorted()) === JSON.stringify(wanted);
    if (!isAsOrdered) {
      return problem(400, 'badCSR', `the request is for ${request?.names.join(', ')}`);
    }
    const { pem, certId } = await this.signer.sign({ names: request.names, publicKey: request.publicKey });
    order.certificate = {
      url: this.#newUrl('certificate'),
      leaf: pem,
      certId,
      accountUrl: order.accountUrl,
      replacedBy: null,
    };
    this.certificates.push(order.certificate);
    const old = this.certificates.find((certificate) => certificate.certId === order.replaces);
    if (old !== undefined) old.replacedBy = order.url;
    order.status = order.processing > 0 ? 'processing' : 'valid';
    return this.#orderReply(order);
  }

  #download(path: string): CaReply {
    const [, , id, alternate] = path.split('/');
    const certificate = this.certificates.find(({ url }) => url.endsWith(`/certificate/${id}`));
    if (certificate === undefined) return problem(404, 'malformed', 'no such certificate');
    const body = this.chainOf(certificate, alternate === undefined ? 'Fake Root A' : 'Fake Root B');
    const link = `<${this.directoryUrl}>;rel="index", <${certificate.url}/1>;rel="alternate"`;
    return { status: 200, headers: { 'content-type': 'application/pem-certificate-chain', link }, body };
  }

  #refresh(order: Order): void {
    if (order.status === 'pending' && order.authzs.every(({ status }) => status === 'valid')) order.status = 'ready';
  }

  #orderReply(order: Order): CaReply {
    this.#refresh(order);
    if (order.status === 'processing') {
      if (order.processing === 0) order.status = 'valid';
      else order.processing -= 1;
    }
    const { url, status, identifiers, profile, error, certificate } = order;
    return {
      status: 200,
      headers: { location: url },
      body: {
        status,
        identifiers,
        authorizations: order.authzs.map((authz) => authz.url),
        finalize: url.replace('/order/', '/finalize/'),
        ...(profile !== null && { profile }),
        ...(error !== undefined && { error }),
        ...(status === 'valid' && certificate !== null && { certificate: certificate.url }),
      },
    };
  }

  #newUrl(kind: string): string {
    this.#number += 1;
    return `${this.#base}/${kind}/${this.#number}`;
  }
}

interface NewOrderPayload {
  readonly identifiers: { readonly type: string; readonly value: string }[];
  readonly profile?: string;
  readonly replaces?: string;
}

/** A problem document as a reply. */
export function problem(
  status: number,
  type: string,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): CaReply {
  return { status, headers, body: { type: URN + type, detail, status } };
}

function kindOf(path: string): RequestKind {
  return path.split('/')[1] as RequestKind;
}
