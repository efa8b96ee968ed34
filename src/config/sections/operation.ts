/** The small sections: TLS, store, trusted proxies, HTTP/2, log, metrics, admin socket, DNS, doctor, shutdown. */
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
            'Unix socket (mode 0600) through which `portico status`, `reload`, `drain`, `certs` and `doctor` talk to the running process.',
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
            "DNS servers that `resolve`, `doctor` and the self-check of the running process ask; never those of upstreams. Empty: the system's.",
          'x-examples': [['192.0.2.53']],
        }),
    },
    MAP,
  )
  .prefault({})
  .meta({ description: 'Name resolution.' });

/** `doctor` */
export const doctorSection = z
  .strictObject(
    {
      self_check: boolean().prefault(true).meta({
        description:
          'Look at the own sites from outside, as `portico doctor` does, a minute after the start and then again and again: findings are metrics, changes are logged. Turn it off where this machine cannot reach its own public addresses.',
      }),
      interval: duration(60_000)
        .prefault('1h')
        .meta({ description: 'Time between two looks, give or take a fifth, so that not all servers look at once.' }),
    },
    MAP,
  )
  .prefault({})
  .meta({ description: 'What the running process does to notice when others can no longer reach it.' });

/** `shutdown_timeout` */
export const shutdownTimeoutSection = duration(0).prefault('30s').meta({
  description:
    'How long open requests may take to finish after SIGTERM or SIGINT before they are cut; usual long polls last 30 s. Whatever stops Portico (systemd: TimeoutStopSec) must wait longer.',
});
