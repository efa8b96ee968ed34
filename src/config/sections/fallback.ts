/** `sites[].fallback`: what answers outside `/_matrix`, `/_synapse/client` and the discovery documents. */
import { z } from 'zod';
import { refuse } from '../refuse.ts';
import { filePath } from '../values/path.ts';
import { integer } from '../values/scalar.ts';
import { pageUrl, upstreamUrl, type UpstreamUrl } from '../values/url.ts';

/** The fallback of a site, parsed. */
export type Fallback =
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'redirect'; readonly location: string }
  | { readonly kind: 'files'; readonly directory: string }
  | { readonly kind: 'proxy'; readonly upstream: UpstreamUrl; readonly ca_file: string | undefined };

const CHOICES = 'status, redirect, files and proxy';

/** Exactly one of `{status}`, `{redirect}`, `{files}`, `{proxy}`. */
export const fallbackSection = z
  .strictObject(
    {
      status: integer(400, 599)
        .optional()
        .meta({
          description: 'Answer everything with this status.',
          'x-absent': 'one of the other keys decides',
          'x-examples': [404],
        }),
      redirect: pageUrl('a URL such as https://www.example.com/', true)
        .optional()
        .meta({
          description: 'Redirect everything to this URL (302).',
          'x-absent': 'one of the other keys decides',
          'x-examples': ['https://www.example.com/'],
        }),
      files: filePath()
        .optional()
        .meta({
          description: 'Serve the files of this directory, such as a web site or Element Web.',
          'x-absent': 'one of the other keys decides',
          'x-examples': ['/var/www/html'],
        }),
      proxy: upstreamUrl()
        .optional()
        .meta({
          description: 'Relay to another web server; the path passes unchanged.',
          'x-absent': 'one of the other keys decides',
          'x-examples': ['http://127.0.0.1:8080'],
        }),
      ca_file: filePath()
        .optional()
        .meta({
          description: 'Trusted certificates (PEM) for a proxy URL with https://.',
          'x-absent': "the system's trusted certificates",
          'x-examples': ['ca.pem'],
        }),
    },
    { error: 'a map with one of status, redirect, files, proxy' },
  )
  .transform((value, context): Fallback => {
    const found: Fallback[] = [];
    if (value.status !== undefined) found.push({ kind: 'status', status: value.status });
    if (value.redirect !== undefined) found.push({ kind: 'redirect', location: value.redirect });
    if (value.files !== undefined) found.push({ kind: 'files', directory: value.files });
    if (value.proxy !== undefined) found.push({ kind: 'proxy', upstream: value.proxy, ca_file: value.ca_file });
    const [only] = found;
    if (only !== undefined && found.length === 1) {
      if (value.ca_file === undefined || (only.kind === 'proxy' && only.upstream.transport === 'tls')) return only;
      return refuse(
        context,
        'CONFIG_CA_FILE_UNUSED',
        'ca_file is given, but there is no proxy with an https:// URL beside it',
        'remove ca_file, or use an https:// URL',
        ['ca_file'],
      );
    }
    return refuse(
      context,
      'CONFIG_CHOICE',
      `expected exactly one of ${CHOICES}, got ${found.length === 0 ? 'none' : found.map((each) => each.kind).join(' and ')}`,
      found.length === 0 ? 'write {status: 404}, or remove fallback' : 'keep one of them',
    );
  })
  .prefault({ status: 404 })
  .meta({
    description:
      'The rest of the site: everything that is neither Matrix nor a discovery document. Exactly one of status, redirect, files, proxy.',
    'x-examples': [{ redirect: 'https://www.example.com/' }, { files: '/var/www/html' }],
  });
