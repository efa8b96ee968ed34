import { isDeepStrictEqual } from 'node:util';
import { withoutCors } from '../cors.ts';
import { finding } from '../finding.ts';
import type { Check, Finding } from '../finding.ts';

/** The document that tells whom to ask. */
export const supportDocument: Check = {
  codes: ['support-document-invalid', 'support-document-cors', 'support-document-not-as-configured'],
  judge: ({ support, expected }) => {
    if (support === null) return [];
    const { url, status, json, failure } = support;
    const found: Finding[] = [];
    const hidden = status === 200 || status === 404 ? withoutCors(support) : null;
    if (hidden !== null) found.push(finding('support-document-cors', hidden));
    if (status === 200) {
      const problem = documentProblem(json);
      if (problem !== null) found.push(finding('support-document-invalid', `${url}: ${problem}.`));
    }
    const wanted = expected?.support ?? null;
    if (wanted !== null && !(status === 200 && isDeepStrictEqual(json, wanted))) {
      const seen = failure?.message ?? (status === 200 ? 'another document' : `status ${String(status)}`);
      const fix = `Serve ${JSON.stringify(wanted)} at ${url}.`;
      found.push(finding('support-document-not-as-configured', `${url}: ${seen.replace(/\.$/, '')}.`, fix));
    }
    return found;
  },
};

function documentProblem(json: unknown): string | null {
  if (typeof json !== 'object' || json === null) return 'it is not a JSON object';
  const { contacts, support_page: page } = json as Record<string, unknown>;
  if (contacts === undefined && page === undefined) return 'it has neither contacts nor support_page';
  if (page !== undefined && typeof page !== 'string') return 'support_page is not a string';
  if (contacts === undefined) return null;
  if (!Array.isArray(contacts)) return 'contacts is not a list';
  return contacts.every(isContact) ? null : 'a contact has no role, or neither matrix_id nor email_address';
}

function isContact(contact: unknown): boolean {
  if (typeof contact !== 'object' || contact === null) return false;
  const { role, matrix_id: id, email_address: email } = contact as Record<string, unknown>;
  return typeof role === 'string' && (typeof id === 'string' || typeof email === 'string');
}
