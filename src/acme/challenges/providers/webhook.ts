/**
 * Changes DNS by posting to a URL of the administrator's:
 *
 * ```
 * POST … HTTP/1.1
 * content-type: application/json
 *
 * {"action": "add" | "remove", "name": "_acme-challenge.example.com", "value": "…", "ttl": 60}
 * ```
 *
 * Any status of 200 to 299 says that it is done. The answer's body is read only for messages; redirects are not followed.
 */
import { messageOf, PorticoError } from '../../../base/errors.ts';
import type { ChallengeRecord, DnsProvider } from '../dns-provider.ts';
import { InTurn } from '../in-turn.ts';

/** Where to post, and how patiently. */
export interface WebhookOptions {
  /** http or https, without credentials before the host. Certificates are verified. */
  readonly url: string;
  /** Default 30000. */
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 30_000;
/** Of the answer, kept for the message. */
const KEPT_OCTETS = 1000;

/** Makes the provider of `acme.dns.webhook`. Calls are made one at a time: few such services allow for two. */
export function webhookProvider(options: WebhookOptions): DnsProvider {
  const turns = new InTurn();
  const call = (action: 'add' | 'remove', { name, value, ttl }: ChallengeRecord, signal: AbortSignal): Promise<void> =>
    turns.run(() => post(options, { action, name, value, ttl }, signal));
  return {
    kind: 'webhook',
    add: (record, signal) => call('add', record, signal),
    remove: (record, signal) => call('remove', record, signal),
  };
}

async function post(options: WebhookOptions, body: object, signal: AbortSignal): Promise<void> {
  const { timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  const url = new URL(options.url);
  // Queries often hold a secret, so messages show none.
  const shown = `${url.origin}${url.pathname}`;
  let response: Response;
  let said: string;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'portico' },
      body: JSON.stringify(body),
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    if (response.ok) {
      await response.body?.cancel();
      return;
    }
    said = await beginningOf(response);
  } catch (cause) {
    signal.throwIfAborted();
    throw new PorticoError('ACME_DNS_WEBHOOK', `${shown} could not be asked: ${reasonOf(cause, timeoutMs)}.`, {
      fix: 'Correct acme.dns.webhook, and see that it runs, answers in time, and has a certificate that this machine trusts.',
      cause,
    });
  }
  const what = response.status >= 300 && response.status < 400 ? 'a redirect, which is not followed' : 'a refusal';
  throw new PorticoError('ACME_DNS_WEBHOOK', `${shown} answered ${String(response.status)}, ${what}${said}`, {
    fix: 'Look into the log of the service behind acme.dns.webhook; it has to answer with a status of 200 to 299.',
  });
}

/** The first octets of the body, on one line. Whatever follows is not waited for. */
async function beginningOf(response: Response): Promise<string> {
  if (response.body === null) return '.';
  const parts: Uint8Array[] = [];
  let octets = 0;
  const body: AsyncIterable<Uint8Array> = response.body;
  for await (const part of body) {
    parts.push(part);
    octets += part.length;
    // Leaving the loop cancels the body.
    if (octets >= KEPT_OCTETS) break;
  }
  const text = Buffer.concat(parts).subarray(0, KEPT_OCTETS).toString('utf8');
  const line = text.replace(/[\p{Cc}\s]+/gu, ' ').trim();
  return line === '' ? '.' : `: ${line}`;
}

/** fetch wraps the reason in an error that says no more than that it failed. */
function reasonOf(error: unknown, timeoutMs: number): string {
  if (error instanceof Error && error.name === 'TimeoutError') return `no answer within ${String(timeoutMs / 1000)} s`;
  return messageOf(error instanceof Error && error.cause instanceof Error ? error.cause : error);
}
