/** What the discovery documents may say. Source: client-server API "Well-known URIs". */
import { parseServerName } from '../../base/server-name.ts';
import { errorAt, type Finding } from '../problem.ts';
import { quote } from '../refuse.ts';
import type { SiteCheck } from './check.ts';

/** `m.homeserver` is written by Portico. */
export const clientDocumentKeys: SiteCheck = (site, path) =>
  Object.hasOwn(site.well_known.client, 'm.homeserver')
    ? [
        errorAt(
          [...path, 'well_known', 'client', 'm.homeserver'],
          'CONFIG_WELL_KNOWN_KEY',
          'm.homeserver is written by Portico and must not be repeated here',
          'remove it; set client.base_url to change it',
        ),
      ]
    : [];

/** Roles of the specification, and two that are proposed and in use (MSC4121, MSC4265). */
const ROLES = ['m.role.admin', 'm.role.security', 'm.role.moderator', 'm.role.dpo'];

/** The support document names somebody, and each contact can be reached. */
export const supportDocument: SiteCheck = (site, path) => {
  const support = site.well_known.support;
  if (support === undefined) return [];
  const at = [...path, 'well_known', 'support'];
  if (support.contacts.length === 0 && support.support_page === undefined) {
    return [
      errorAt(
        at,
        'CONFIG_SUPPORT',
        'the support document has neither a contact nor a support_page',
        'add one of them, or remove support',
      ),
    ];
  }
  return support.contacts.flatMap((contact, index): Finding[] => {
    const here = [...at, 'contacts', index];
    const found: Finding[] = [];
    const { role, matrix_id: userId, email_address: email } = contact;
    if (userId === undefined && email === undefined) {
      found.push(
        errorAt(here, 'CONFIG_SUPPORT', 'this contact has neither matrix_id nor email_address', 'add one of them'),
      );
    }
    const isNamespaced = /^[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)+$/.test(role);
    if (!isNamespaced || (role.startsWith('m.') && !ROLES.includes(role))) {
      const message = `${quote(role)} is not a role`;
      const fix = `write ${ROLES.slice(0, 2).join(' or ')}, or a role of your own such as com.example.role.legal`;
      found.push(errorAt([...here, 'role'], 'CONFIG_SUPPORT', message, fix));
    }
    if (userId !== undefined && !isUserId(userId)) {
      const message = `${quote(userId)} is not a Matrix user ID`;
      found.push(
        errorAt([...here, 'matrix_id'], 'CONFIG_SUPPORT', message, 'write "@localpart:example.com", in quotes'),
      );
    }
    if (email !== undefined && !/^[^@\s]+@[^@\s]+$/.test(email)) {
      const message = `${quote(email)} is not an e-mail address`;
      found.push(
        errorAt([...here, 'email_address'], 'CONFIG_SUPPORT', message, 'write admin@example.com, without mailto:'),
      );
    }
    return found;
  });
};

function isUserId(text: string): boolean {
  const colon = text.indexOf(':');
  return text.startsWith('@') && colon > 0 && text.length <= 255 && parseServerName(text.slice(colon + 1)) !== null;
}
