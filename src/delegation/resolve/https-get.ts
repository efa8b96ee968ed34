/** The {@link HttpsGet} of a real network. */
import { isIP } from 'node:net';
import { codeOf, PorticoError } from '../../base/errors.ts';
import { get } from '../outbound/get.ts';
import type { DialSetting } from '../outbound/dial.ts';
import type { HttpsGet } from './document.ts';

/** Goes to each address in turn until one answers; what an answer says is final, however bad. */
export function createHttpsGet(setting: DialSetting): HttpsGet {
  return async ({ url, addresses, maxBytes, fields = {} }, signal) => {
    const hostname = url.hostname.replace(/^\[(.*)\]$/, '$1');
    let last: unknown = new PorticoError('DIAL_FAILED', `${url.hostname} has no address.`);
    for (const address of addresses) {
      const port = url.port === '' ? 443 : Number(url.port);
      const path = `${url.pathname}${url.search}`;
      const sni = isIP(hostname) === 0 ? hostname : null;
      const request = { address, port, sni, host: url.host, path, certificateName: hostname, maxBytes, fields };
      try {
        const { status, headers, body } = await get(request, setting, signal);
        return { status, headers, body, address };
      } catch (error) {
        last = error;
        // Another address may be up where this one is not; one that has spoken has spoken for the name.
        if (!['DIAL_FAILED', 'DIAL_TIMEOUT', 'TARGET_PRIVATE'].includes(codeOf(error)) || signal?.aborted === true)
          throw error;
      }
    }
    throw last;
  };
}
