/** `listeners`: where Portico accepts connections. */
import { z } from 'zod';
import { listenAddress } from '../values/address.ts';
import { word } from '../values/scalar.ts';

const listener = z
  .strictObject(
    {
      address: listenAddress().meta({
        description:
          'Address and port. ":443" means all addresses of both families. Port 0 lets the system choose a free port (tests, demo).',
        'x-examples': [':443', '127.0.0.1:8448', '[::1]:8448'],
      }),
      role: word(['https', 'federation', 'http']).meta({
        description:
          'What the listener is for. https: clients, discovery documents, federation and the fallback of a site. federation: the same over the port that peers use. http: answers ACME HTTP-01 challenges and redirects everything else to https.',
      }),
      only: z
        .array(word(['federation']), { error: 'the list [federation]' })
        .max(1, { error: 'the list [federation]' })
        .prefault([])
        .meta({
          description:
            '[federation] relays just federation, key and federation-media paths here; everything else is refused. Empty: everything of the site.',
          'x-examples': [['federation']],
        }),
    },
    { error: 'a map with address and role' },
  )
  .meta({ description: 'An address and port Portico accepts on.' });

/** The list of listeners; by default 443, 8448 and 80 on all addresses. */
export const listenersSection = z
  .array(listener, { error: 'a list of {address, role}' })
  .min(1, { error: 'at least 1 listener' })
  .max(64, { error: 'at most 64 listeners' })
  .prefault([
    { address: ':443', role: 'https' },
    { address: ':8448', role: 'federation' },
    { address: ':80', role: 'http' },
  ])
  .meta({ description: 'Where Portico accepts connections. A list given here replaces the default as a whole.' });
