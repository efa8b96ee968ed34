import { finding } from '../finding.ts';
import type { Check, Finding } from '../finding.ts';
import { withoutPlace } from '../places.ts';

/** Whether the document for peers is one, and whether its absence costs time. */
export const serverDocument: Check = {
  codes: [
    'server-document-invalid',
    'server-document-slow',
    'server-document-untrusted',
    'server-document-content-type',
  ],
  judge: ({ resolution: { wellKnown } }) => {
    if (wellKnown === null) return [];
    const { outcome, problem, problemCode, contentType, urls } = wellKnown;
    const url = urls.at(-1) ?? '';
    const found: Finding[] = [];
    if (outcome === 'invalid') found.push(finding('server-document-invalid', `${url}: ${problem ?? ''}.`));
    if (outcome === 'unreachable') {
      const seen = `${url}: ${withoutPlace(problem ?? '')}.`;
      if (problemCode === 'DIAL_TIMEOUT' || problemCode === 'HTTP_TIMEOUT') {
        found.push(finding('server-document-slow', seen));
      }
      if (problemCode === 'TLS_UNTRUSTED') found.push(finding('server-document-untrusted', seen));
      if (problemCode === 'HTTP_TOO_LARGE') found.push(finding('server-document-invalid', seen));
    }
    if (outcome === 'valid' && !/^application\/json\b/i.test(contentType ?? '')) {
      const type = contentType ?? 'no Content-Type';
      found.push(finding('server-document-content-type', `${url} is served with ${type}.`));
    }
    return found;
  },
};
