import { finding } from '../finding.ts';
import type { Check } from '../finding.ts';
import { withoutPlace } from '../places.ts';

/** Every address of the base domain serves the same document. */
export const serverDocumentAgrees: Check = {
  codes: ['server-document-differs'],
  judge: ({ serverDocuments }) => {
    const answers = serverDocuments.map(({ address, says }) => ({
      address,
      // Addresses that do not answer at all are skipped by peers; they are judged only when others do answer.
      text: says.ok ? says.value : `no answer (${withoutPlace(says.failure.message)})`,
      counts: says.ok || !['DIAL_FAILED', 'REQUEST_BUDGET'].includes(says.failure.code),
    }));
    const counted = answers.filter(({ counts }) => counts);
    if (new Set(counted.map(({ text }) => text)).size < 2) return [];
    const seen = counted.map(({ address, text }) => `${address}: ${text}`).join('; ');
    return [finding('server-document-differs', `${seen}.`)];
  },
};
