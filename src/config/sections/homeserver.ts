/** `sites[].homeserver`: where requests are relayed to. */
import { z } from 'zod';
import { filePath } from '../values/path.ts';
import { word } from '../values/scalar.ts';
import { upstreamUrl } from '../values/url.ts';

const object = z.strictObject(
  {
    url: upstreamUrl().meta({
      description:
        'http://, https:// or unix: and nothing behind host and port: request paths pass byte for byte, which keeps federation signatures valid.',
      'x-examples': ['http://127.0.0.1:8008', 'unix:/run/synapse/main.sock'],
    }),
    kind: word(['auto', 'synapse', 'dendrite', 'other']).prefault('auto').meta({
      description:
        'Which homeserver it is. Relaying is the same for all; tools that explain and check may say more when they know.',
    }),
    ca_file: filePath()
      .optional()
      .meta({
        description: 'Trusted certificates (PEM) for an https:// URL. Verification is always on.',
        'x-absent': "the system's trusted certificates",
        'x-examples': ['ca.pem'],
      }),
    federation_url: upstreamUrl()
      .optional()
      .meta({
        description:
          'Another listener of the same homeserver that gets the federation, key and federation-media paths.',
        'x-absent': 'url gets them',
        'x-examples': ['http://127.0.0.1:8048'],
      }),
  },
  { error: 'a URL such as http://127.0.0.1:8008' },
);

const shorthand = upstreamUrl().transform((url) => ({
  url,
  kind: 'auto' as const,
  ca_file: undefined,
  federation_url: undefined,
}));

/** A URL, or a map with `url` and more; parsed to the same shape. */
export const homeserverSection = z
  .union([shorthand, object], { error: 'a URL such as http://127.0.0.1:8008, or a map with url' })
  .meta({
    description: 'Where requests are relayed to: a URL, or a map with url and more.',
    'x-examples': ['http://127.0.0.1:8008', { url: 'unix:/run/synapse/main.sock', kind: 'synapse' }],
  });
