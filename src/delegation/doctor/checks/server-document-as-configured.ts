import { finding } from '../finding.ts';
import type { Check } from '../finding.ts';

/** The base domain tells peers what the config says, or nothing where the config says nothing. */
export const serverDocumentAsConfigured: Check = {
  codes: ['server-document-overrules-srv', 'server-document-not-as-configured', 'server-document-missing'],
  judge: ({ expected, resolution: { wellKnown }, name }) => {
    if (expected === null || wellKnown === null) return [];
    const { mServer, outcome, problem } = wellKnown;
    const at = `https://${name.hostname}/.well-known/matrix/server`;
    if (expected.mServer === mServer) return [];
    if (expected.mServer === null) {
      const says = `${at} says "${mServer ?? ''}", and the config says delegation: ${expected.delegation}.`;
      if (expected.delegation === 'srv') return [finding('server-document-overrules-srv', says)];
      return [
        finding('server-document-not-as-configured', says, `Answer ${at} with 404, or set delegation: well-known.`),
      ];
    }
    const document = JSON.stringify({ 'm.server': expected.mServer });
    if (mServer === null) {
      const why = outcome === 'absent' ? 'status 404' : (problem ?? '');
      return [finding('server-document-missing', `${at}: ${why.replace(/\.$/, '')}.`, `Serve ${document} at ${at}.`)];
    }
    const seen = `${at} says "${mServer}", the config "${expected.mServer}".`;
    return [
      finding('server-document-not-as-configured', seen, `Serve ${document} at ${at}, or correct delegated_name.`),
    ];
  },
};
