/** `certificates`: names whose certificates come from files or the local CA. */
import { z } from 'zod';
import { refuse } from '../refuse.ts';
import { certificateName } from '../values/names.ts';
import { filePath } from '../values/path.ts';
import { boolean } from '../values/scalar.ts';

/** One entry, parsed: its names and the source of their certificate. */
export type CertificateEntry =
  | {
      readonly names: readonly string[];
      readonly source: 'files';
      readonly files: { readonly chain: string; readonly key: string };
    }
  | { readonly names: readonly string[]; readonly source: 'local_ca' };

const entry = z
  .strictObject(
    {
      names: z
        .array(certificateName(), { error: 'a list of names' })
        .min(1, { error: 'at least 1 name' })
        .max(100, { error: 'at most 100 names' })
        .meta({
          description: 'DNS names, wildcards for one label ("*.example.com") and IP addresses that this entry is for.',
          'x-examples': [['example.com', 'matrix.example.com']],
        }),
      files: z
        .strictObject(
          {
            chain: filePath().meta({
              description: 'PEM file with the certificate and then its intermediates.',
              'x-examples': ['/etc/letsencrypt/live/example.com/fullchain.pem'],
            }),
            key: filePath().meta({
              description: 'PEM file with the private key, unencrypted, readable by Portico alone.',
              'x-examples': ['/etc/letsencrypt/live/example.com/privkey.pem'],
            }),
          },
          { error: 'a map with chain and key' },
        )
        .optional()
        .meta({
          description: 'Files of another program; read again when they change.',
          'x-absent': 'local_ca decides',
        }),
      local_ca: boolean().optional().meta({
        description:
          'true: signed by a CA of our own in store.path. For tests and private networks; browsers must be told to trust it.',
        'x-absent': 'files decides',
      }),
    },
    { error: 'a map with names, and files or local_ca' },
  )
  .transform((value, context): CertificateEntry => {
    if (value.files !== undefined && value.local_ca !== true)
      return { names: value.names, source: 'files', files: value.files };
    if (value.local_ca === true && value.files === undefined) return { names: value.names, source: 'local_ca' };
    return refuse(
      context,
      'CONFIG_CHOICE',
      `expected exactly one of files and local_ca: true, got ${value.files === undefined ? 'none' : 'both'}`,
      'keep files: {chain: …, key: …} or local_ca: true',
    );
  })
  .meta({ description: 'Names and the source of their certificate: files or local_ca.' });

/** Names with files or the local CA; all others are left to ACME. */
export const certificatesSection = z
  .array(entry, { error: 'a list of {names, files} or {names, local_ca: true}' })
  .max(100_000, { error: 'at most 100000 entries' })
  .prefault([])
  .meta({ description: 'Certificates that come from files or from the local CA. All other names are left to ACME.' });
