/**
 * From a field section to a request head: the rules of RFC 9113 §8.2 and §8.3, and those of the HTTP/1 message that goes
 * upstream. What breaks them is malformed and costs the stream, never a guess.
 */
import type { RefusalCode } from '../../policy/refusals.ts';
import type { FieldRecogniser } from '../field-names.ts';
import { FieldId, FieldList } from '../fields.ts';
import type { RequestHead } from '../front.ts';

/** What became of a field section. */
export type HeadResult =
  | { readonly kind: 'head'; readonly head: RequestHead; readonly priority: string | null }
  /** RST_STREAM with PROTOCOL_ERROR (RFC 9113 §8.1.1). */
  | { readonly kind: 'malformed' }
  /** Well-formed, but refused. `head` has what is known, for answer and log. */
  | { readonly kind: 'refused'; readonly head: RequestHead; readonly code: RefusalCode };

const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** RFC 9110 §5.5 without leading or trailing white space (RFC 9113 §8.2.1). */

const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** RFC 3986 §3.1 */
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*$/;
/** As the HTTP/1 parser: visible ASCII without `#`. */
const TARGET = /^[\x21\x22\x24-\x7e]+$/;
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
]);

/** Collects one field section; fields come in order, `finish` judges. */
export class HeadBuilder {
  readonly #recogniser: FieldRecogniser;
  readonly #fields = new FieldList();
  #method: string | null = null;
  #path: string | null = null;
  #scheme: string | null = null;
  #authority: string | null = null;
  #host: string | null = null;
  #contentLength: string | null = null;
  #expect: string | null = null;
  #cookie: string | null = null;
  #priority: string | null = null;
  #regular = false;
  #malformed = false;

  constructor(recogniser: FieldRecogniser) {
    this.#recogniser = recogniser;
  }

  /** Takes a decoded field. */
  readonly add = (name: string, value: string): void => {
    if (this.#malformed) return;
    if (name.startsWith(':')) this.#addPseudo(name, value);
    else this.#addRegular(name, value);
  };

  /** @param endStream - no body follows */
  finish(endStream: boolean, limits: { readonly maxFields: number; readonly maxTargetBytes: number }): HeadResult {
    const method = this.#method;
    const path = this.#path;
    // RFC 9113 §8.3.1; CONNECT has no path, and is not for a front door: the router would refuse it, this does.
    if (this.#malformed || method === null || path === null || this.#scheme === null) return { kind: 'malformed' };
    if (!METHOD.test(method) || !TARGET.test(path) || !SCHEME.test(this.#scheme)) return { kind: 'malformed' };
    if (!path.startsWith('/') && !(path === '*' && method === 'OPTIONS')) return { kind: 'malformed' };
    const authority = this.#authority ?? this.#host;
    if (authority === null || authority === '') return { kind: 'malformed' };
    // RFC 9113 §8.3.1: a server that sees both must not let them differ.
    if (this.#authority !== null && this.#host !== null && this.#authority !== this.#host) return { kind: 'malformed' };
    const length = this.#contentLength;
    if (length !== null && !/^\d{1,15}$/.test(length)) return { kind: 'malformed' };
    if (endStream && length !== null && Number(length) !== 0) return { kind: 'malformed' };
    if (this.#cookie !== null) this.#fields.add(FieldId.other, 'cookie', this.#cookie);
    this.#fields.add(FieldId.host, 'Host', authority);
    const bodyLength = endStream ? 0 : length === null ? -1 : Number(length);
    const head: RequestHead = {
      method,
      target: path,
      authority,
      fields: this.#fields,
      bodyLength,
      expectsContinue: this.#expect !== null && bodyLength !== 0,
      connectionNames: null,
      websocket: false,
    };
    if (path.length > limits.maxTargetBytes) return { kind: 'refused', head, code: 'TARGET_TOO_LONG' };
    if (this.#fields.length > limits.maxFields) return { kind: 'refused', head, code: 'HEAD_TOO_LARGE' };
    if (this.#expect !== null && this.#expect.toLowerCase() !== '100-continue') {
      return { kind: 'refused', head, code: 'EXPECTATION_FAILED' };
    }
    return { kind: 'head', head, priority: this.#priority };
  }

  #addPseudo(name: string, value: string): void {
    if (this.#regular) this.#malformed = true;
    else if (name === ':method' && this.#method === null) this.#method = value;
    else if (name === ':path' && this.#path === null) this.#path = value;
    else if (name === ':scheme' && this.#scheme === null) this.#scheme = value;
    else if (name === ':authority' && this.#authority === null) this.#authority = value;
    else this.#malformed = true;
  }

  #addRegular(name: string, value: string): void {
    this.#regular = true;
    if (
      !NAME.test(name) ||
      !VALUE.test(value) ||
      CONNECTION_FIELDS.has(name) ||
      (name === 'te' && value !== 'trailers')
    ) {
      this.#malformed = true;
      return;
    }
    const id = this.#recogniser.ofName(name);
    switch (id) {
      case FieldId.host:
        if (this.#host !== null) this.#malformed = true;
        this.#host = value;
        return;
      case FieldId.contentLength:
        if (this.#contentLength !== null) this.#malformed = true;
        this.#contentLength = value;
        break;
      case FieldId.expect:
        this.#expect = this.#expect === null ? value : `${this.#expect}, ${value}`;
        break;
      default:
        // RFC 9113 §8.2.3: crumbs are one field in HTTP/1.
        if (name === 'cookie') {
          this.#cookie = this.#cookie === null ? value : `${this.#cookie}; ${value}`;
          return;
        }
        // RFC 9218 §5: a dictionary, which may come in several lines.
        if (name === 'priority') this.#priority = this.#priority === null ? value : `${this.#priority}, ${value}`;
        break;
    }
    this.#fields.add(id, name, value);
  }
}

/** True when a trailer section is well-formed; its fields are dropped (RFC 9113 §8.1). */
export function isTrailerField(name: string, value: string): boolean {
  return NAME.test(name) && VALUE.test(value) && !CONNECTION_FIELDS.has(name);
}

/** RFC 9218 §4: urgency 0 (first) to 7, and whether the response is of use in pieces. */
export interface Priority {
  readonly urgency: number;
  readonly incremental: boolean;
}

export const DEFAULT_PRIORITY: Priority = { urgency: 3, incremental: false };

/**
 * Reads a Priority field value. What is not understood is left at its default (RFC 9218 §4); of a key that is there twice the
 * last counts (RFC 9651 §3.2).
 */
export function parsePriority(value: string): Priority {
  let { urgency, incremental } = DEFAULT_PRIORITY;
  for (const member of value.split(',')) {
    const [, key, given] = /^[ \t]*(u|i)(?:=([^;]*))?(?:;.*)?$/.exec(member) ?? [];
    const item = given?.trimEnd();
    if (key === 'u' && item !== undefined && /^[0-7]$/.test(item)) urgency = Number(item);
    else if (key === 'i' && (item === undefined || item === '?1' || item === '?0')) incremental = item !== '?0';
  }
  return { urgency, incremental };
}
