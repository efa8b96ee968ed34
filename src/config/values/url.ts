/** URLs: of homeservers (what to connect to) and of pages (what to tell others). */
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { quote, refuse } from '../refuse.ts';

/** Where a homeserver listens, ready for connecting. */
export interface UpstreamUrl {
  /** As configured. */
  readonly text: string;
  readonly transport: 'tcp' | 'tls' | 'unix';
  /** DNS name or IP literal without brackets; empty for unix sockets. */
  readonly host: string;
  /** 0 for unix sockets. */
  readonly port: number;
  /** Path of the unix socket; empty otherwise. */
  readonly socketPath: string;
}

const UPSTREAM_FIX = 'write http://127.0.0.1:8008, https://HOST:PORT or unix:/absolute/path.sock';

function parseUrl(value: string): URL | null {
  // The URL parser drops tabs and newlines and trims blanks; what was written must be what is meant.
  return /\s/.test(value) ? null : URL.parse(value);
}

/** What is wrong with the parts of an upstream's URL that must not be there; null when nothing is. */
function partsToRemove(value: string, url: URL): { what: string; fix: string } | null {
  if (url.username !== '' || url.password !== '') {
    return { what: 'has credentials', fix: 'remove the part before the @; Portico sends no credentials of its own' };
  }
  if (value.includes('?') || value.includes('#')) {
    return { what: 'has a query or fragment', fix: `write ${url.protocol}//${url.host}` };
  }
  if (!/^[a-z]+:\/\/[^/]+$/i.test(value)) {
    return {
      what: 'has a path',
      fix: `write ${url.protocol}//${url.host} without anything behind it, not even /: request paths pass unchanged`,
    };
  }
  return null;
}

/** The URL of an upstream: http, https or unix, nothing but scheme, host and port. Parsed. */
export function upstreamUrl() {
  return z
    .string({ error: 'a URL such as http://127.0.0.1:8008' })
    .meta({ 'x-type': 'upstream URL' })
    .transform((value, context): UpstreamUrl => {
      if (value.startsWith('unix:')) {
        const socketPath = value.replace(/^unix:(?:\/\/(?=\/))?/, '');
        if (isAbsolute(socketPath) && !socketPath.includes('\0') && Buffer.byteLength(socketPath) <= 107) {
          return { text: value, transport: 'unix', host: '', port: 0, socketPath };
        }
        const what = isAbsolute(socketPath) ? 'a shorter path of at most 107 bytes' : 'an absolute path after unix:';
        return refuse(
          context,
          'CONFIG_UPSTREAM_URL',
          `expected ${what}, got ${quote(value)}`,
          'write unix:/run/synapse/main.sock',
        );
      }
      const url = parseUrl(value);
      if (url === null || !/^https?:\/\//i.test(value) || !['http:', 'https:'].includes(url.protocol)) {
        const fix = /^[\w.-]+:\d+$/.test(value) ? `write http://${value}` : UPSTREAM_FIX;
        return refuse(
          context,
          'CONFIG_UPSTREAM_URL',
          `expected a URL with http://, https:// or unix:, got ${quote(value)}`,
          fix,
        );
      }
      const extra = partsToRemove(value, url);
      if (extra !== null) {
        // Credentials must not reach a log through the message.
        const shown = url.username === '' && url.password === '' ? quote(value) : `the URL of ${url.host}`;
        return refuse(context, 'CONFIG_UPSTREAM_URL', `${shown} ${extra.what}`, extra.fix);
      }
      const tls = url.protocol === 'https:';
      if (url.port === '0') {
        return refuse(
          context,
          'CONFIG_UPSTREAM_URL',
          `${quote(value)} has port 0`,
          'name the port that the homeserver listens on',
        );
      }
      return {
        text: value,
        transport: tls ? 'tls' : 'tcp',
        host: url.hostname.replace(/^\[|\]$/g, ''),
        port: url.port === '' ? (tls ? 443 : 80) : Number(url.port),
        socketPath: '',
      };
    });
}

/** A URL that is told to others, as text: http or https, no credentials. @param query - whether it may have a query */
export function pageUrl(expectation: string, query: boolean) {
  return z
    .string({ error: expectation })
    .meta({ 'x-type': 'URL' })
    .transform((value, context) => {
      const url = parseUrl(value);
      if (url === null || !/^https?:\/\/[^/]/i.test(value)) {
        const fix = /^[\w-]+(\.[\w-]+)+/.test(value)
          ? `write https://${value}`
          : 'write a whole URL, with https:// and a host';
        return refuse(context, 'CONFIG_URL', `expected ${expectation}, got ${quote(value)}`, fix);
      }
      if (url.username !== '' || url.password !== '') {
        return refuse(
          context,
          'CONFIG_URL',
          `the URL of ${url.host} has credentials, and would tell them to everybody`,
          'remove the part before the @',
        );
      }
      // Beyond ASCII a header field cannot carry it as it stands.
      if (!/^[\x21-\x7e]*$/.test(value)) {
        return refuse(
          context,
          'CONFIG_URL',
          `${quote(value)} has characters that a URL cannot hold`,
          `write ${url.href}`,
        );
      }
      if (!query && (value.includes('?') || value.includes('#'))) {
        return refuse(
          context,
          'CONFIG_URL',
          `${quote(value)} has a query or fragment`,
          `write ${url.origin}${url.pathname}`,
        );
      }
      return value;
    });
}
