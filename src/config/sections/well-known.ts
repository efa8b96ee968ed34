/**
 * `sites[].well_known`: what the discovery documents say beyond what follows from the site.
 * Source: Matrix specification v1.19, client-server API "Well-known URIs" (`support`: v1.10), server-server API "Policy servers".
 */
import { z } from 'zod';
import { quote, refuse } from '../refuse.ts';
import { duration } from '../values/duration.ts';
import { text } from '../values/scalar.ts';
import { pageUrl } from '../values/url.ts';

/** An ed25519 public key: 32 bytes as unpadded base64. */
const ed25519Key = z
  .string({ error: 'an ed25519 public key in unpadded base64' })
  .meta({ 'x-type': 'unpadded base64 of 32 bytes' })
  .transform((value, context) => {
    const bytes = Buffer.from(value, 'base64');
    // Decoding is lenient; only the one canonical spelling encodes back to itself.
    if (bytes.length === 32 && bytes.toString('base64').replace(/=+$/, '') === value) return value;
    const padded = value.endsWith('=') && Buffer.from(value, 'base64').length === 32;
    return refuse(
      context,
      'CONFIG_BASE64',
      `expected 43 characters of unpadded base64 (an ed25519 public key), got ${quote(value)}`,
      padded
        ? 'remove the = at the end'
        : "copy the public key as the policy server printed it; it is not the server's private key",
    );
  });

const contact = z
  .strictObject(
    {
      role: text('a role such as m.role.admin').meta({
        description: 'm.role.admin, m.role.security, or a namespaced role of your own such as com.example.role.legal.',
        'x-examples': ['m.role.admin'],
      }),
      matrix_id: text('a user ID such as "@admin:example.com"')
        .optional()
        .meta({
          description: 'Matrix user ID of the contact.',
          'x-absent': 'then email_address is needed',
          'x-examples': ['@admin:example.com'],
        }),
      email_address: text('an e-mail address')
        .optional()
        .meta({
          description: 'E-mail address of the contact.',
          'x-absent': 'then matrix_id is needed',
          'x-examples': ['admin@example.com'],
        }),
    },
    { error: 'a map with role and matrix_id or email_address' },
  )
  .meta({ description: 'A person or team to ask for help.' });

const support = z.strictObject(
  {
    contacts: z
      .array(contact, { error: 'a list of contacts' })
      .max(100, { error: 'at most 100 contacts' })
      .prefault([])
      .meta({
        description: 'Whom to ask, by role.',
        'x-examples': [[{ role: 'm.role.admin', email_address: 'admin@example.com' }]],
      }),
    support_page: pageUrl('a URL such as https://example.com/support', true)
      .optional()
      .meta({
        description: 'A page with help for users of this server.',
        'x-absent': 'not announced',
        'x-examples': ['https://example.com/support'],
      }),
  },
  { error: 'a map with contacts or support_page' },
);

const policyServer = z.strictObject(
  {
    public_keys: z
      .strictObject(
        {
          ed25519: ed25519Key.meta({
            description: "The policy server's public key, unpadded base64 (43 characters).",
            'x-examples': ['BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc'],
          }),
        },
        { error: 'a map with ed25519' },
      )
      .meta({ description: 'Keys that signatures of the policy server are checked with.' }),
  },
  { error: 'a map with public_keys' },
);

/** JSON values, as they go into a document. */
const json = z.json({ error: 'a JSON value' });

/** The documents below `/.well-known/matrix/`. */
export const wellKnownSection = z
  .strictObject(
    {
      client: z
        .record(z.string(), json, { error: 'a map' })
        .prefault({})
        .meta({
          description:
            'Further keys for /.well-known/matrix/client, merged in as they are. m.homeserver is written by Portico from client.base_url.',
          'x-examples': [
            { 'org.matrix.msc4143.rtc_foci': [{ type: 'livekit', livekit_service_url: 'https://rtc.example.com' }] },
          ],
        }),
      support: support.optional().meta({
        description: 'The document /.well-known/matrix/support: contacts, support_page, or both.',
        'x-absent': 'answered with 404',
      }),
      policy_server: policyServer.optional().meta({
        description: 'The document /.well-known/matrix/policy_server.',
        'x-absent': 'answered with 404',
      }),
      max_age: duration(0).prefault('1h').meta({
        description:
          'How long others may cache the documents (Cache-Control max-age). Peers keep m.server for at least 5 minutes and at most 48 hours whatever stands here.',
      }),
    },
    { error: 'a map' },
  )
  .prefault({})
  .meta({ description: 'What the discovery documents of this site say beyond what follows from the keys above.' });
