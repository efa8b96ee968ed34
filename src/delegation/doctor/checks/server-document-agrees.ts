import { finding } from '../finding.ts';
import type { Check } from '../finding.ts';
import { withoutPlace } from '../places.ts';

const SILENT = new Set(['DIAL_FAILED', 'DIAL_TIMEOUT']);

/** Every address of the base domain serves the same document. */
export const serverDocumentAgrees: Check = {
  codes: ['server-document-differs', 'server-document-address-dead'],
  judge: ({ serverDocuments }) => {
    const answers = serverDocuments.map(({ address, says }) => ({
      address,
      text: says.ok ? says.value : `no answer (${withoutPlace(says.failure.message)})`,
      // No connection is no answer; a bad certificate or a broken response is one, and another than that of the others.
      silent: !says.ok && SILENT.has(says.failure.code),
      here: !says.ok && says.failure.reason === 'ENETUNREACH',
    }));
    const counted = answers.filter(({ silent }) => !silent);
    const dead = answers.filter(({ silent, here }) => silent && !here);
    const told = (list: typeof answers): string =>
      `${list.map(({ address, text }) => `${address}: ${text}`).join('; ')}.`;
    return [
      ...(new Set(counted.map(({ text }) => text)).size > 1 ? [finding('server-document-differs', told(counted))] : []),
      // Where nobody answers at all there is no web server, which is a choice.
      ...(counted.length > 0 && dead.length > 0 ? [finding('server-document-address-dead', told(dead))] : []),
    ];
  },
};
