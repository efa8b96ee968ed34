/** `exports`: certificates written to files for other programs (coturn, mail), and a command that tells them. */
import { z } from 'zod';
import { command, fileOwner, keyFileMode } from '../values/command.ts';
import { certificateName } from '../values/names.ts';
import { filePath } from '../values/path.ts';

const entry = z
  .strictObject(
    {
      name: certificateName().meta({
        description: 'Name whose certificate is written: one that Portico serves.',
        'x-examples': ['turn.example.com'],
      }),
      chain: filePath().meta({
        description: 'File that gets the certificate and its intermediates (PEM, mode 0644). Its directory must exist.',
        'x-examples': ['/etc/coturn/tls/fullchain.pem'],
      }),
      key: filePath().meta({
        description: 'File that gets the private key (PEM).',
        'x-examples': ['/etc/coturn/tls/privkey.pem'],
      }),
      owner: fileOwner()
        .optional()
        .meta({
          description:
            'Owner of both files, USER or USER:GROUP, names of this machine or numbers. Takes the rights of root.',
          'x-absent': 'the user that Portico runs as',
          'x-examples': ['root:turnserver'],
        }),
      mode: keyFileMode().prefault('0600').meta({ description: 'Mode of the key file.' }),
      hook: command()
        .optional()
        .meta({
          description:
            'Command to run after both files have been replaced. No shell reads it; PORTICO_NAME, PORTICO_CHAIN and PORTICO_KEY are in its environment. It has 30 s.',
          'x-absent': 'nothing is run',
          'x-examples': ['systemctl reload coturn'],
        }),
    },
    { error: 'a map with name, chain and key' },
  )
  .meta({ description: 'One certificate and where it is written.' });

/** Certificates for other programs. */
export const exportsSection = z
  .array(entry, { error: 'a list of {name, chain, key}' })
  .max(1000, { error: 'at most 1000 entries' })
  .prefault([])
  .meta({
    description:
      'Certificates that are written to files for other programs whenever they change, the key first and the chain last. See certificates.md.',
    'x-examples': [
      [
        {
          name: 'example.com',
          chain: '/etc/coturn/tls/fullchain.pem',
          key: '/etc/coturn/tls/privkey.pem',
          owner: 'root:turnserver',
          mode: '0640',
          hook: 'systemctl reload coturn',
        },
      ],
    ],
  });
