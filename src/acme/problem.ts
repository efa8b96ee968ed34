/** What an ACME authority says when it refuses: problem documents (RFC 8555 §6.7, RFC 9457), kept typed from end to end. */
import { PorticoError } from '../base/errors.ts';
import type { AcmeIdentifier } from './identifier.ts';
import { fixFor } from './problem-fix.ts';
import { boundWait, MAX_RETRY_AFTER_MS } from './retry-after.ts';

/** One part of a problem, about one identifier (RFC 8555 §6.7.1). */
export interface AcmeSubproblem {
  /** Without the URN in front: `caa`. */
  readonly type: string;
  readonly detail: string;
  readonly identifier: AcmeIdentifier | null;
}

/** A problem document read, before it is an error. */
export interface ProblemData {
  /** Without `urn:ietf:params:acme:error:` in front; `serverInternal` when the authority sent none. */
  readonly type: string;
  /** HTTP status; 0 when the problem came inside an order or a challenge. */
  readonly status: number;
  readonly detail: string;
  /** How long the authority wants to be left alone: 0 to 7 days; null when it did not say. */
  readonly retryAfterMs: number | null;
  /** The identifier it is about, when there is exactly one. */
  readonly identifier: AcmeIdentifier | null;
  readonly subproblems: readonly AcmeSubproblem[];
  /** A page for people: new terms, a paused account (RFC 8555 §7.3.3). */
  readonly instance: string | null;
}

const URN = 'urn:ietf:params:acme:error:';
const MAX_TEXT = 1000;
const MAX_SUBPROBLEMS = 100;

/**
 * The authority refused. The message is in its own words; `fix` says who must change what. Code `ACME_PROBLEM`; tell kinds
 * apart by `type`.
 */
export class AcmeProblem extends PorticoError implements ProblemData {
  readonly type: string;
  readonly status: number;
  readonly detail: string;
  readonly retryAfterMs: number | null;
  readonly identifier: AcmeIdentifier | null;
  readonly subproblems: readonly AcmeSubproblem[];
  readonly instance: string | null;

  constructor(data: ProblemData, options: { readonly cause?: unknown } = {}) {
    const about = data.identifier === null ? '' : ` for ${data.identifier.value}`;
    super('ACME_PROBLEM', `The certificate authority refused${about}: ${data.detail} (${data.type})`, {
      fix: fixFor(data),
      cause: options.cause,
    });
    this.name = 'AcmeProblem';
    this.type = data.type;
    this.status = data.status;
    this.detail = data.detail;
    this.retryAfterMs = boundWait(data.retryAfterMs, 0, MAX_RETRY_AFTER_MS);
    this.identifier = data.identifier;
    this.subproblems = data.subproblems;
    this.instance = data.instance;
  }
}

/** Around the document: what it does not say itself. */
export interface ProblemContext {
  readonly status: number;
  /** Read from the Retry-After field; need not be bounded. */
  readonly retryAfterMs: number | null;
  /** The identifier of the authorization it was found in. */
  readonly identifier?: AcmeIdentifier | null;
}

/**
 * Reads a problem document. Never throws: whatever is missing or of the wrong type is left out, and text is cut and freed of
 * control characters, because it goes into logs and onto terminals.
 * @param body - parsed JSON of any shape
 */
export function readProblem(body: unknown, context: ProblemContext): AcmeProblem {
  const document = isRecord(body) ? body : {};
  const subproblems = Array.isArray(document.subproblems)
    ? document.subproblems.slice(0, MAX_SUBPROBLEMS).flatMap(readSubproblem)
    : [];
  const only = subproblems.length === 1 ? (subproblems[0]?.identifier ?? null) : null;
  const status = String(context.status);
  return new AcmeProblem({
    type: typeOf(document.type),
    status: context.status,
    detail: textOf(document.detail) ?? textOf(document.title) ?? `no reason given, HTTP status ${status}`,
    retryAfterMs: context.retryAfterMs,
    identifier: context.identifier ?? readIdentifier(document.identifier) ?? only,
    subproblems,
    instance: urlOf(document.instance),
  });
}

function readSubproblem(value: unknown): AcmeSubproblem[] {
  if (!isRecord(value)) return [];
  const detail = textOf(value.detail) ?? 'no reason given';
  return [{ type: typeOf(value.type), detail, identifier: readIdentifier(value.identifier) }];
}

function readIdentifier(value: unknown): AcmeIdentifier | null {
  if (!isRecord(value) || (value.type !== 'dns' && value.type !== 'ip')) return null;
  const name = textOf(value.value);
  return name === null ? null : { type: value.type, value: name };
}

function typeOf(value: unknown): string {
  const text = textOf(value);
  // `about:blank` says no more than the status does (RFC 9457 §4.2.1).
  if (text === null || text === 'about:blank') return 'serverInternal';
  return text.startsWith(URN) ? text.slice(URN.length) : text;
}

function urlOf(value: unknown): string | null {
  const text = textOf(value);
  return text !== null && URL.canParse(text) && text.startsWith('https://') ? text : null;
}

function textOf(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  // eslint-disable-next-line no-control-regex
  const text = value.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
  return text === '' ? null : text.slice(0, MAX_TEXT);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
