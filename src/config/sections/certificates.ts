/** `certificates`: names whose certificates come from files or the local CA, or that share one certificate from ACME. */
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
  | { readonly names: readonly string[]; readonly source: 'local_ca' }
  | { readonly names: readonly string[]; readonly source: 'acme' };

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
          'x-absent': 'local_ca or acme decides',
        }),
      local_ca: boolean().optional().meta({
        description:
          'true: signed by a CA of our own in store.path. For tests and private networks; browsers must be told to trust it.',
        'x-absent': 'files or acme decides',
      }),
      acme: boolean().optional().meta({
        description:
          'true: one certificate from ACME for just these names. Without such an entry each name gets a certificate of its own. A wildcard needs dns-01 or dns-persist-01.',
        'x-absent': 'files or local_ca decides',
      }),
    },
    { error: 'a map with names, and files, local_ca or acme' },
  )
  .transform((value, context): CertificateEntry => {
    const { names, files } = value;
    const found = [
      ...(files === undefined ? [] : ['files']),
      ...(value.local_ca === true ? ['local_ca'] : []),
      ...(value.acme === true ? ['acme'] : []),
    ];
    if (found.length === 1) {
      if (files !== undefined) return { names, source: 'files', files };
      return { names, source: value.local_ca === true ? 'local_ca' : 'acme' };
    }
    return refuse(
      context,
      'CONFIG_CHOICE',
      `expected exactly one of files, local_ca: true and acme: true, got ${found.length === 0 ? 'none' : found.join(' and ')}`,
      'keep files: {chain: …, key: …}, local_ca: true or acme: true',
    );
  })
  .meta({ description: 'Names and the source of their certificate: files, local_ca or acme.' });

/** Names with files or the local CA, and those that share a certificate from ACME; all others get one each from ACME. */
export const certificatesSection = z
  .array(entry, { error: 'a list of {names, files}, {names, local_ca: true} or {names, acme: true}' })
  .max(100_000, { error: 'at most 100000 entries' })
  .prefault([])
  .meta({
    description:
      'Certificates that come from files or from the local CA, and names that share one from ACME. All other names get a certificate each from ACME.',
  });
