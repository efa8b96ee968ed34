import { finding } from '../finding.ts';
import type { Check } from '../finding.ts';
import { replyProblem, wasAsked } from '../places.ts';

/** The address that clients are given works for clients. */
export const clientBaseUrl: Check = {
  codes: ['client-base-url-unreachable', 'client-base-url-cors'],
  judge: ({ versions }) => {
    if (versions === null || !wasAsked(versions.reply)) return [];
    const { url, reply } = versions;
    const problem =
      replyProblem(reply) ?? (hasVersions(reply.ok ? reply.value.json : null) ? null : 'no versions in it');
    if (problem !== null) return [finding('client-base-url-unreachable', `${url}: ${problem}.`)];
    const cors = reply.ok ? reply.value.cors : null;
    if (cors === '*') return [];
    const what = cors === null ? 'no Access-Control-Allow-Origin' : `Access-Control-Allow-Origin: ${cors.slice(0, 60)}`;
    return [finding('client-base-url-cors', `${url} has ${what}.`)];
  },
};

function hasVersions(json: unknown): boolean {
  return typeof json === 'object' && json !== null && 'versions' in json && Array.isArray(json.versions);
}
