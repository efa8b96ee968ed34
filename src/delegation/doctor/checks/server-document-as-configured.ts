import { finding } from '../finding.ts';
import type { Check, Finding } from '../finding.ts';
import { isDead } from '../places.ts';
import type { Evidence } from '../evidence.ts';

/** The base domain tells peers what the config says, or nothing where the config says nothing. */
export const serverDocumentAsConfigured: Check = {
  codes: ['server-document-overrules-srv', 'server-document-not-as-configured', 'server-document-missing'],
  judge: (evidence) => {
    const { expected, name } = evidence;
    const { wellKnown } = evidence.resolution;
    if (wellKnown === null) return [];
    if (expected === null) return forgotten(evidence);
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

/**
 * Without a config nobody knows what is meant. But a document that leads to where nobody answers, beside an SRV record that
 * it keeps peers from, is most likely a forgotten one. Where both lead to the same place there is nothing to say.
 */
function forgotten({ resolution, overruledSrv, places, name }: Evidence): Finding[] {
  const mServer = resolution.wellKnown?.mServer ?? null;
  if (mServer === null || overruledSrv.length === 0 || !places.every(isDead)) return [];
  const at = `https://${name.hostname}/.well-known/matrix/server`;
  const seen = `${at} says "${mServer}", where nobody answers, and there is ${overruledSrv.join(', ')}.`;
  const fix = `If the SRV record is meant, answer ${at} with 404; else correct the document.`;
  return [finding('server-document-overrules-srv', seen, fix)];
}
