/** The small sections: TLS, store, trusted proxies, HTTP/2, log, metrics, admin socket, DNS, shutdown. */
import { z } from 'zod';
import { cidr, dnsServer, listenAddress } from '../values/address.ts';
import { duration } from '../values/duration.ts';
import { hostName } from '../values/names.ts';
import { filePath } from '../values/path.ts';
import { boolean, word } from '../values/scalar.ts';

const MAP = { error: 'a map' };

/** `tls` */
export const tlsSection = z
  .strictObject(
    {
      default_name: hostName()
        .optional()
        .meta({
          description:
            'Whose certificate a client gets that sends no SNI (old clients, testers, everybody who connects to an IP address).',
          'x-absent': "the first site's server name (the delegated name when the server name is answered elsewhere)",
          'x-examples': ['example.com'],
        }),
      // YAML reads an unquoted 1.2 as a number; there is nothing to misunderstand.
      min_version: z
        .literal(['1.2', '1.3', 1.2, 1.3], { error: '"1.2" or "1.3"' })
        .transform((value) => String(value) as '1.2' | '1.3')
        .prefault('1.2')
        .meta({
          description: 'Oldest TLS version taken. Federation peers with old libraries still need 1.2.',
          'x-type': '"1.2" or "1.3"',
        }),
    },
    MAP,
  )
  .prefault({})
  .meta({ description: 'TLS towards clients and peers.' });

/** `store` */
export const storeSection = z
  .strictObject(
    {
      path: filePath()
        .prefault('certs')
        .meta({
          description: 'Directory for keys, certificates and state, mode 0700. Made when it is missing.',
          'x-examples': ['/var/lib/portico'],
        }),
    },
    MAP,
  )
  .prefault({})
  .meta({ description: 'Where Portico keeps its state.' });

/** `trusted_proxies` */
export const trustedProxiesSection = z
  .array(cidr(), { error: 'a list of networks such as [10.0.0.0/8]' })
  .max(1000, { error: 'at most 1000 networks' })
  .prefault([])
  .meta({
    description:
      'Proxies in front of Portico whose X-Forwarded-* fields are believed. From everybody else they are dropped.',
    'x-examples': [['10.0.0.0/8', '2001:db8::/32']],
  });

/** `http2` */
export const http2Section = z
  .strictObject(
    {
      https: boolean().prefault(true).meta({ description: 'Offer HTTP/2 on listeners of role https.' }),
      federation: boolean()
        .prefault(false)
        .meta({ description: 'Offer HTTP/2 on listeners of role federation. Peers gain little from it.' }),
    },
    MAP,
  )
  .prefault({})
  .meta({
    description: 'Whether HTTP/2 is offered (by ALPN, over TLS); clients that do not ask for it get HTTP/1.1.',
  });

/** `log` */
export const logSection = z
  .strictObject(
    {
      level: word(['debug', 'info', 'warn', 'error'])
        .prefault('info')
        .meta({ description: 'Least severe entry that is written.' }),
      access: boolean().prefault(true).meta({ description: 'Write one line per request, with access tokens removed.' }),
    },
    MAP,
  )
  .prefault({})
  .meta({ description: 'JSON lines on standard output.' });

/** `metrics` */
export const metricsSection = z
  .strictObject(
    {
      listen: z
        .union([z.literal('off').transform(() => null), listenAddress()], {
          error: 'an address such as 127.0.0.1:9464, or off',
        })
        .prefault('127.0.0.1:9464')
        .meta({
          description:
            'Address of /metrics (Prometheus), /health/live and /health/ready. off: none of them. Answers everybody who can reach it: keep it private.',
          'x-type': 'listen address or off',
        }),
    },
    MAP,
  )
  .prefault({})
  .meta({ description: 'Metrics and health checks, over plain HTTP.' });

/** `admin` */
export const adminSection = z
  .strictObject(
    {
      socket: filePath()
        .optional()
        .meta({
          description:
            'Unix socket (mode 0600) through which `portico status`, `reload` and `drain` will talk to the running process. These commands do not exist yet: the key is checked and otherwise unused.',
          'x-absent': 'portico.sock inside store.path',
          'x-examples': ['/run/portico/portico.sock'],
        }),
    },
    MAP,
  )
  .prefault({})
  .meta({ description: 'The admin socket.' });

/** `dns` */
export const dnsSection = z
  .strictObject(
    {
      servers: z
        .array(dnsServer(), { error: 'a list of DNS servers' })
        .max(16, { error: 'at most 16 DNS servers' })
        .prefault([])
        .meta({
          description:
            "DNS servers for look-ups of Portico's own. Empty: the system's. For `resolve`, `plan` and `doctor`, which do not exist yet: the key is checked and otherwise unused.",
          'x-examples': [['192.0.2.53']],
        }),
    },
    MAP,
  )
  .prefault({})
  .meta({ description: 'Name resolution.' });

/** `shutdown_timeout` */
export const shutdownTimeoutSection = duration(0).prefault('30s').meta({
  description:
    'How long open requests may take to finish after SIGTERM or SIGINT before they are cut; usual long polls last 30 s. Whatever stops Portico (systemd: TimeoutStopSec) must wait longer.',
});
