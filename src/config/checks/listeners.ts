/** Listeners do not get in each other's way, and there is one for what the sites promise. */
import { isIPv4 } from 'node:net';
import { formatListenAddress, type ListenAddress } from '../../base/address.ts';
import { errorAt, type Finding } from '../problem.ts';
import { sectionCheck } from './check.ts';

/** `only` means nothing where nothing is relayed. */
export const onlyOnTls = sectionCheck(['listeners'], ({ listeners }) =>
  listeners.flatMap((listener, index) =>
    listener.role === 'http' && listener.only.length > 0
      ? [
          errorAt(
            ['listeners', index, 'only'],
            'CONFIG_ONLY_ON_HTTP',
            'a listener of role http relays nothing, so that only has no meaning here',
            'remove only, or set role: https or role: federation',
          ),
        ]
      : [],
  ),
);

/** Somebody must be able to reach the homeserver. */
export const tlsListenerExists = sectionCheck(['listeners'], ({ listeners }) =>
  listeners.every((listener) => listener.role === 'http')
    ? [
        errorAt(
          ['listeners'],
          'CONFIG_NO_TLS_LISTENER',
          'no listener has the role https or federation, so that no homeserver could be reached',
          'add {address: ":443", role: https} and {address: ":8448", role: federation}, or remove listeners',
        ),
      ]
    : [],
);

/** Peers fetch the server document over https, on port 443. */
export const httpsForDocuments = sectionCheck(['listeners', 'sites'], ({ listeners, sites }) => {
  if (listeners.some((listener) => listener.role === 'https')) return [];
  return sites.flatMap((site, index) =>
    site.delegation === 'well-known' && site.base_domain === 'here'
      ? [
          errorAt(
            ['sites', index, 'delegation'],
            'CONFIG_NO_HTTPS_LISTENER',
            `peers fetch https://${site.server_name.text}/.well-known/matrix/server, but no listener has the role https`,
            'add {address: ":443", role: https} to the listeners, or set base_domain: elsewhere if another web server has the document',
          ),
        ]
      : [],
  );
});

/** Two sockets cannot listen on one port of overlapping addresses. */
export const listenersDoNotClash = sectionCheck(['listeners', 'metrics'], ({ listeners, metrics }) => {
  const taken = listeners.map(({ address }, index) => ({
    address,
    path: ['listeners', index, 'address'] as (string | number)[],
  }));
  if (metrics.listen !== null) taken.push({ address: metrics.listen, path: ['metrics', 'listen'] });
  return taken.flatMap(({ address, path }, index): Finding[] => {
    const other = taken.slice(0, index).find((earlier) => overlap(earlier.address, address));
    if (other === undefined) return [];
    const [here, there] = [formatListenAddress(address), formatListenAddress(other.address)];
    const message =
      here === there ? `${here} is in use by an earlier listener` : `${here} overlaps ${there} of an earlier listener`;
    return [errorAt(path, 'CONFIG_LISTENER_CLASH', message, 'change one of the two ports, or remove one of the two')];
  });
});

/** Whether the system would refuse the second of two addresses. `[::]` takes IPv4 too. */
function overlap(a: ListenAddress, b: ListenAddress): boolean {
  // Port 0 is a free port of the system's choice.
  if (a.port !== b.port || a.port === 0) return false;
  return covers(a.host, b.host) || covers(b.host, a.host);
}

function covers(wide: string | undefined, host: string | undefined): boolean {
  if (wide === undefined || isUnspecifiedIpv6(wide)) return true;
  if (host === undefined || isUnspecifiedIpv6(host)) return false;
  if (wide === '0.0.0.0') return isIPv4(host) || host === 'localhost';
  if (wide === 'localhost') return host === 'localhost' || host === '127.0.0.1' || host === '::1';
  return wide === host;
}

function isUnspecifiedIpv6(host: string): boolean {
  return /^[0:]+$/.test(host);
}
