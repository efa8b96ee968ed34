/** `sites[].expose`: private paths of the homeserver that are opened on purpose. */
import { z } from 'zod';
import { quote, refuse } from '../refuse.ts';
import { cidr } from '../values/address.ts';

/** A path prefix with exactly one reading: no escapes, dot segments, empty segments or parameters. */
const pathPrefix = z
  .string({ error: 'a path such as /_synapse/admin' })
  .meta({ 'x-type': 'path prefix' })
  .transform((value, context) => {
    const plain = value.length > 1 && value.endsWith('/') ? value.slice(0, -1) : value;
    if (/^(?:\/[A-Za-z0-9._~-]+)+$/.test(plain) && !/\/\.{1,2}(?:\/|$)/.test(plain)) return plain;
    const fix =
      value === '' || value.startsWith('/')
        ? 'write the plain path without escapes, //, . or .. segments: /_synapse/admin'
        : `write it from the start: ${quote(`/${value}`)}`;
    return refuse(context, 'CONFIG_PATH_PREFIX', `expected a path such as /_synapse/admin, got ${quote(value)}`, fix);
  });

const entry = z
  .strictObject(
    {
      path: pathPrefix.meta({
        description: 'Opened with everything below it.',
        'x-examples': ['/_synapse/admin'],
      }),
      from: z
        .array(cidr(), { error: 'a list of networks such as [10.0.0.0/8]' })
        .max(1000, { error: 'at most 1000 networks' })
        .prefault([])
        .meta({
          description:
            'Networks of the clients it is open to. Empty: everybody, which is rarely wise for an admin API.',
          'x-examples': [['10.0.0.0/8', '2001:db8::/32']],
        }),
    },
    { error: 'a map with path and from' },
  )
  .meta({ description: 'A path that is opened.' });

/** The list of opened paths. */
export const exposeSection = z
  .array(entry, { error: 'a list of {path, from}' })
  .max(100, { error: 'at most 100 paths' })
  .prefault([])
  .meta({
    description:
      'Paths opened beyond the safe default. Closed unless named here: /_synapse/admin, /_synapse/replication, /_synapse/metrics, /_synapse/mas, /_dendrite.',
    'x-examples': [[{ path: '/_synapse/admin', from: ['10.0.0.0/8'] }]],
  });
