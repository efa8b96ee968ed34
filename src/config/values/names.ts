/** Names: Matrix server names, host names, names in certificates. All in lower case, as peers compare them. */
import { isIP } from 'node:net';
import { z } from 'zod';
import { isDnsName, parseServerName, type ServerName } from '../../base/server-name.ts';
import { quote, refuse } from '../refuse.ts';

const LOWER_CASE_REASON = 'peers compare names byte for byte';

/** What most likely went wrong with a text that is no server name. */
function nameFix(value: string, otherwise: string): string {
  if (/^[a-z]+:\/\//i.test(value))
    return `write only the name, without ${quote(value.slice(0, value.indexOf('://') + 3))}`;
  if (value.includes('/')) return 'write only the name, without a path';
  if (value.startsWith('@') || value.includes('@')) return 'write the part after the colon of a user ID: example.com';
  if (value.includes('_')) return 'host names have no underscores; use letters, digits and hyphens';
  if (isIP(value) === 6) return `write IPv6 addresses in brackets: "[${value}]"`;
  if (value.endsWith('.')) return 'remove the dot at the end';
  // eslint-disable-next-line no-control-regex -- anything outside ASCII
  if (/[^\u0000-\u007f]/.test(value)) return `write the ASCII form of the name: ${quote(asciiForm(value))}`;
  const port = /:(\d+)$/.exec(value)?.[1];
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65535)) return 'ports go from 1 to 65535';
  if (/^[\d.]+$/.test(value)) return 'write an IPv4 address as four numbers from 0 to 255';
  return otherwise;
}

const SERVER_NAME_FIX =
  'write a DNS name, an IPv4 address or an IPv6 address in brackets, with an optional port: example.com, "[2001:db8::1]:8448"';
const HOST_NAME_FIX = 'write a DNS name or an IP address, without port: matrix.example.com, "2001:db8::1"';
const WILDCARD_FIX = `${HOST_NAME_FIX}, or a wildcard for one label: "*.example.com"`;

function asciiForm(value: string): string {
  try {
    return new URL(`http://${value}`).host;
  } catch {
    return 'xn--…';
  }
}

function serverNameLike(expectation: string) {
  return z
    .string({ error: expectation })
    .meta({ 'x-type': 'server name' })
    .transform((value, context): ServerName => {
      const name = parseServerName(value);
      if (name === null) {
        return refuse(
          context,
          'CONFIG_SERVER_NAME',
          `expected ${expectation}, got ${quote(value)}`,
          nameFix(value, SERVER_NAME_FIX),
        );
      }
      if (value !== value.toLowerCase()) {
        return refuse(
          context,
          'CONFIG_UPPER_CASE',
          `${quote(value)} has upper-case letters; ${LOWER_CASE_REASON}`,
          `write ${value.toLowerCase()}, exactly as the homeserver has it`,
        );
      }
      return name;
    });
}

/** A Matrix server name: `example.com`, `example.com:8449`, `[2001:db8::1]`. Parsed. */
export function serverName() {
  return serverNameLike('a server name such as example.com');
}

/** What `m.server` announces: `matrix.example.com` or `matrix.example.com:443`. Parsed. */
export function delegatedName() {
  return serverNameLike('a delegated name such as matrix.example.com:443');
}

function hostNameFix(value: string, otherwise: string): string {
  const parsed = parseServerName(value);
  if (parsed?.port !== undefined) return `remove the port: ${parsed.hostname}`;
  if (parsed?.isIp === true) return `write the address without brackets: "${parsed.hostname}"`;
  return nameFix(value, otherwise);
}

function hostLike(expectation: string, type: string, wildcard: boolean) {
  return z
    .string({ error: expectation })
    .meta({ 'x-type': type })
    .transform((value, context) => {
      const bare = wildcard && value.startsWith('*.') ? value.slice(2) : value;
      const isIp = bare === value && isIP(value) !== 0 && !value.includes('%');
      if (!isIp && (!isDnsName(bare) || /^[\d.]+$/.test(bare))) {
        const fix = hostNameFix(value, wildcard ? WILDCARD_FIX : HOST_NAME_FIX);
        return refuse(context, 'CONFIG_HOST_NAME', `expected ${expectation}, got ${quote(value)}`, fix);
      }
      if (value !== value.toLowerCase()) {
        return refuse(
          context,
          'CONFIG_UPPER_CASE',
          `${quote(value)} has upper-case letters; ${LOWER_CASE_REASON}`,
          `write ${value.toLowerCase()}`,
        );
      }
      return value;
    });
}

/** A DNS name or an IP address without brackets and without port, as text. */
export function hostName() {
  return hostLike('a host name such as matrix.example.com', 'host name', false);
}

/** As {@link hostName}, or a wildcard for one label: `*.example.com`. */
export function certificateName() {
  return hostLike('a name such as example.com or "*.example.com"', 'host name or wildcard', true);
}
