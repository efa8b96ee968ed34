/**
 * Where the solvers pin up what validators will ask for, and where the data plane reads it. In memory only: after a restart
 * an order is taken up again and presents its challenges anew.
 */
import { PorticoError } from '../../base/errors.ts';
import type { ChallengeResponder } from '../../tls/challenge-responder.ts';

/** A certificate with acmeIdentifier and its key, both PEM. */
export interface ChallengeCertificate {
  readonly certificate: string;
  readonly key: string;
}

/** Far more than the challenges of all names that a CA lets be ordered at once (Let's Encrypt: 300 orders in 3 h). */
const DEFAULT_MAX_ENTRIES = 10_000;

/** One answer; the id tells tasks apart that share a key. */
interface Pinned<Answer> {
  readonly id: string;
  readonly answer: Answer;
}

/**
 * Answers by key, several at once for one key. The one pinned last answers; when it is taken away, the one before answers
 * again. The same id pinned twice (two orders that share a pending authorization) has to be taken away twice.
 */
class Pins<Answer> {
  readonly #byKey = new Map<string, Pinned<Answer>[]>();
  size = 0;

  get(key: string): Answer | null {
    return this.#byKey.get(key)?.at(-1)?.answer ?? null;
  }

  put(key: string, id: string, answer: Answer): void {
    const pinned = this.#byKey.get(key);
    if (pinned === undefined) this.#byKey.set(key, [{ id, answer }]);
    else pinned.push({ id, answer });
    this.size++;
  }

  remove(key: string, id: string): void {
    const pinned = this.#byKey.get(key);
    const index = pinned?.findLastIndex((entry) => entry.id === id) ?? -1;
    if (pinned === undefined || index === -1) return;
    pinned.splice(index, 1);
    if (pinned.length === 0) this.#byKey.delete(key);
    this.size--;
  }
}

/** Bounded; what does not fit is refused, so that nothing presented is ever forgotten. */
export class ChallengeBoard implements ChallengeResponder {
  readonly #http01 = new Pins<string>();
  readonly #tlsAlpn01 = new Pins<ChallengeCertificate>();
  readonly #maxEntries: number;

  /** @param maxEntries - challenges of both kinds together */
  constructor(maxEntries = DEFAULT_MAX_ENTRIES) {
    this.#maxEntries = maxEntries;
  }

  /** Challenges that are up now. */
  get size(): number {
    return this.#http01.size + this.#tlsAlpn01.size;
  }

  http01(token: string): string | null {
    return this.#http01.get(token);
  }

  tlsAlpn01(servername: string): ChallengeCertificate | null {
    return this.#tlsAlpn01.get(servername);
  }

  /** @throws PorticoError `ACME_CHALLENGE_BOARD_FULL` */
  putHttp01(token: string, keyAuthorization: string): void {
    this.#mustHaveRoom();
    this.#http01.put(token, keyAuthorization, keyAuthorization);
  }

  removeHttp01(token: string, keyAuthorization: string): void {
    this.#http01.remove(token, keyAuthorization);
  }

  /**
   * @param servername - as validators send it in SNI, lower case
   * @param id - what {@link removeTlsAlpn01} will name
   * @throws PorticoError `ACME_CHALLENGE_BOARD_FULL`
   */
  putTlsAlpn01(servername: string, id: string, certificate: ChallengeCertificate): void {
    this.#mustHaveRoom();
    this.#tlsAlpn01.put(servername, id, certificate);
  }

  removeTlsAlpn01(servername: string, id: string): void {
    this.#tlsAlpn01.remove(servername, id);
  }

  #mustHaveRoom(): void {
    if (this.size < this.#maxEntries) return;
    throw new PorticoError(
      'ACME_CHALLENGE_BOARD_FULL',
      `${String(this.#maxEntries)} challenges are being answered already.`,
      { fix: 'Nothing, the order is tried again; if it lasts, orders do not end: see the log for the CA.' },
    );
  }
}
