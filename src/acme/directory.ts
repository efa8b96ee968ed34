/** An authority's directory (RFC 8555 §7.1.1): where its resources are, and what it offers. */
import { PorticoError } from '../base/errors.ts';
import type { AcmeHttpResponse } from './transport.ts';

/** Checked: every address is an https URL. */
export interface AcmeDirectory {
  readonly newNonce: string;
  readonly newAccount: string;
  readonly newOrder: string;
  readonly keyChange: string | null;
  /** RFC 9773 §4.1; null: the authority has no renewal information. */
  readonly renewalInfo: string | null;
  readonly termsOfService: string | null;
  readonly externalAccountRequired: boolean;
  /** Name and description (draft-ietf-acme-profiles §3); null: the authority knows no profiles. */
  readonly profiles: ReadonlyMap<string, string> | null;
  /** As it was sent, for the library. */
  readonly raw: Readonly<Record<string, unknown>>;
}

const MAX_PROFILES = 50;

/**
 * Reads the answer to a GET of the directory.
 * @throws PorticoError `ACME_DIRECTORY_INVALID` for a redirect, an error page, HTML, or JSON without the three addresses that
 * every authority must have
 */
export function readDirectory(url: string, response: AcmeHttpResponse): AcmeDirectory {
  const { status, headers, body } = response;
  if (status >= 300 && status < 400) {
    const target = headers.location;
    throw invalid(
      url,
      `it redirects${target === undefined ? '' : ` to ${JSON.stringify(target.slice(0, 200))}`}`,
      'Set acme.directory to the address that it redirects to, if you trust it.',
    );
  }
  if (status !== 200) throw invalid(url, `it answers with HTTP status ${String(status)}`);
  let raw: unknown;
  try {
    raw = JSON.parse(body);
  } catch (cause) {
    const what = /^\s*</.test(body) ? 'it is a web page' : 'it is not JSON';
    throw invalid(
      url,
      what,
      'Set acme.directory to the URL of the directory itself, as the authority documents it.',
      cause,
    );
  }
  if (!isRecord(raw)) throw invalid(url, 'it is not a JSON object');
  const meta = isRecord(raw.meta) ? raw.meta : {};
  return {
    newNonce: required(url, raw, 'newNonce'),
    newAccount: required(url, raw, 'newAccount'),
    newOrder: required(url, raw, 'newOrder'),
    keyChange: httpsUrl(raw.keyChange),
    renewalInfo: httpsUrl(raw.renewalInfo),
    termsOfService: httpsUrl(meta.termsOfService),
    externalAccountRequired: meta.externalAccountRequired === true,
    profiles: readProfiles(meta.profiles),
    raw,
  };
}

function readProfiles(value: unknown): ReadonlyMap<string, string> | null {
  if (!isRecord(value)) return null;
  const entries = Object.entries(value).slice(0, MAX_PROFILES);
  return new Map(entries.map(([name, description]) => [name, typeof description === 'string' ? description : '']));
}

function required(url: string, raw: Readonly<Record<string, unknown>>, name: string): string {
  const address = httpsUrl(raw[name]);
  if (address === null) throw invalid(url, `it has no https address for ${name}`);
  return address;
}

/** A string that is an https URL, or null. */
export function httpsUrl(value: unknown): string | null {
  return typeof value === 'string' && value.startsWith('https://') && URL.canParse(value) ? value : null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(
  url: string,
  why: string,
  fix = 'Check acme.directory; if it is right, the fault is with the authority, and Portico tries again.',
  cause?: unknown,
): PorticoError {
  return new PorticoError('ACME_DIRECTORY_INVALID', `${url} is no ACME directory: ${why}.`, { fix, cause });
}
