/** `sites`: one server name each, with its homeserver, delegation and documents. */
import { z } from 'zod';
import { delegatedName, hostName, serverName } from '../values/names.ts';
import { word } from '../values/scalar.ts';
import { pageUrl } from '../values/url.ts';
import { exposeSection } from './expose.ts';
import { fallbackSection } from './fallback.ts';
import { homeserverSection } from './homeserver.ts';
import { wellKnownSection } from './well-known.ts';

/** One site. */
export const siteSection = z
  .strictObject(
    {
      server_name: serverName().meta({
        description:
          "The Matrix identity, exactly as the homeserver's own config has it: what stands behind the colon of a user ID. May carry a port or be an IP address.",
        'x-examples': ['example.com'],
      }),
      homeserver: homeserverSection,
      delegation: word(['none', 'well-known', 'srv']).prefault('none').meta({
        description:
          'How peers find this server. none: they come to the server name on port 8448. well-known: https://SERVER_NAME/.well-known/matrix/server names delegated_name. srv: a _matrix-fed._tcp SRV record names host and port; the certificate is for the server name all the same.',
      }),
      delegated_name: delegatedName()
        .optional()
        .meta({
          description:
            'With delegation: well-known only, and required there: the host and port that peers are sent to (m.server). Without a port they look for SRV records and then take 8448.',
          'x-absent': 'no delegation by document',
          'x-examples': ['matrix.example.com:443'],
        }),
      base_domain: word(['here', 'elsewhere']).prefault('here').meta({
        description:
          'Who answers https://SERVER_NAME/. elsewhere: another web server; then it has to serve the discovery documents, and `portico plan` prints them.',
      }),
      hosts: z
        .array(hostName(), { error: 'a list of host names' })
        .max(100, { error: 'at most 100 host names' })
        .prefault([])
        .meta({
          description: 'Further host names answered for this site. Clients are sent to the first.',
          'x-examples': [['matrix.example.com']],
        }),
      client: z
        .strictObject(
          {
            base_url: pageUrl('a URL such as https://matrix.example.com', false)
              .optional()
              .meta({
                description: 'Where clients are sent (m.homeserver in /.well-known/matrix/client).',
                'x-absent':
                  'https:// and the first of hosts, else the delegated name, else the server name, without port',
                'x-examples': ['https://matrix.example.com'],
              }),
          },
          { error: 'a map with base_url' },
        )
        .prefault({})
        .meta({ description: 'What clients are told.' }),
      well_known: wellKnownSection,
      fallback: fallbackSection,
      expose: exposeSection,
    },
    { error: 'a map with server_name and homeserver' },
  )
  .meta({ description: 'One server name with its homeserver, delegation and discovery documents.' });

/** All sites; at least one. */
export const sitesSection = z
  .array(siteSection, { error: 'a list that starts with "- server_name:"' })
  .min(1, { error: 'at least 1 site' })
  .max(100_000, { error: 'at most 100000 sites' })
  .meta({ description: 'The servers that Portico stands in front of. The only required key.' });

/** One parsed site. */
export type Site = z.output<typeof siteSection>;
