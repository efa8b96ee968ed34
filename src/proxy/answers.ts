/**
 * Turns a refusal into what the client gets: Matrix-shaped JSON with CORS where Matrix clients and servers ask, a small page for
 * browsers elsewhere, JSON for everything else. The only source of text is the refusal itself, so nothing of the inside can
 * leak. Source: Matrix C-S "Standard error response" and "Web Browser Clients"; RFC 9110 §10.2.3 and §15.5.
 */
import { createHash } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import { CORS_FIELDS } from '../matrix/cors.ts';
import { matrixErrorBody } from '../matrix/error-body.ts';
import type { Refusal } from '../policy/decision.ts';
import type { LocalAnswer } from './route.ts';

/** Who asked, as far as the form of the answer depends on it. */
export interface AnswerContext {
  /** Under `/_matrix`, `/_synapse` or `/.well-known/matrix`. */
  readonly matrix: boolean;
  /** Value of Accept, or null. */
  readonly accept: string | null;
  /** Sent as X-Request-Id and printed on the page, so that a report can be found in the log. */
  readonly requestId: string;
}

/** The answer for a refusal. */
export function answerFor(refusal: Refusal, context: AnswerContext): LocalAnswer {
  const fields = ['X-Request-Id', context.requestId];
  if (refusal.retryAfterSeconds !== undefined) fields.push('Retry-After', String(refusal.retryAfterSeconds));
  if (refusal.allow !== undefined) fields.push('Allow', refusal.allow);
  if (context.matrix) {
    fields.push('Content-Type', 'application/json', ...CORS_FIELDS);
    return { status: refusal.status, fields, body: errorJson(refusal) };
  }
  fields.push('Cache-Control', 'no-store', 'X-Content-Type-Options', 'nosniff', 'Vary', 'Accept');
  if (context.accept !== null && WANTS_HTML.test(context.accept)) {
    fields.push(
      'Content-Type',
      'text/html; charset=utf-8',
      'Content-Security-Policy',
      PAGE_POLICY,
      'Referrer-Policy',
      'no-referrer',
    );
    return { status: refusal.status, fields, body: errorPage(refusal, context.requestId) };
  }
  fields.push('Content-Type', 'application/json');
  return { status: refusal.status, fields, body: errorJson(refusal) };
}

/** `text/html` that is not refused with `q=0`. */
const WANTS_HTML = /text\/html(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/i;

const STYLE =
  ':root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:18vh auto 0;padding:0 1.5rem}' +
  'h1{font-size:1.4rem;margin:0 0 .5rem}p{margin:.25rem 0}small{opacity:.65}';

/** Nothing may be loaded, framed or sent from the page; its one style is allowed by its hash. */
const PAGE_POLICY =
  `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; ` +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

function errorJson(refusal: Refusal): string {
  const retryAfterMs =
    refusal.status === 429 && refusal.retryAfterSeconds !== undefined ? refusal.retryAfterSeconds * 1000 : undefined;
  return matrixErrorBody(refusal.errcode, refusal.error, retryAfterMs);
}

function errorPage(refusal: Refusal, requestId: string): string {
  const title = `${String(refusal.status)} ${STATUS_CODES[refusal.status] ?? 'Error'}`;
  return (
    `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
    `<title>${escapeHtml(title)}</title><style>${STYLE}</style>` +
    `<h1>${escapeHtml(title)}</h1><p>${escapeHtml(refusal.error)}</p><p><small>Request ${escapeHtml(requestId)}</small></p></html>\n`
  );
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${String(character.charCodeAt(0))};`);
}
