import { isDeepStrictEqual } from 'node:util';
import { finding } from '../finding.ts';
import type { Check, Finding } from '../finding.ts';
import { baseUrlOf } from '../base-url.ts';
import { withoutCors } from '../cors.ts';

/** The document that tells clients where to go. */
export const clientDocument: Check = {
  codes: [
    'client-document-invalid',
    'client-document-cors',
    'client-document-not-as-configured',
    'client-document-missing',
  ],
  judge: ({ client, expected }) => {
    if (client === null) return [];
    const { url, status, json, failure } = client;
    const found: Finding[] = [];
    const missing = withoutCors(client);
    if (missing !== null) found.push(finding('client-document-cors', missing));
    if (status === 404 && expected === null) found.push(finding('client-document-missing', `${url}: status 404.`));
    else if (status === 200) {
      const problem = documentProblem(json);
      if (problem !== null) found.push(finding('client-document-invalid', `${url}: ${problem}.`));
    } else if (status !== null && status !== 404 && failure === null) {
      found.push(finding('client-document-invalid', `${url}: status ${String(status)}.`));
    }
    if (expected !== null && !(status === 200 && isDeepStrictEqual(json, expected.client))) {
      const seen =
        status === 200 ? difference(json, expected.client) : (failure?.message ?? `status ${String(status)}`);
      const fix = `Serve ${JSON.stringify(expected.client)} at ${url}.`;
      found.push(finding('client-document-not-as-configured', `${url}: ${seen.replace(/\.$/, '')}.`, fix));
    }
    return found;
  },
};

function documentProblem(json: unknown): string | null {
  if (json === undefined) return 'it is not JSON';
  const baseUrl = baseUrlOf(json);
  if (baseUrl === null) return 'it has no m.homeserver.base_url';
  const url = URL.parse(baseUrl);
  if (url === null) return `base_url is ${JSON.stringify(baseUrl.slice(0, 100))}, which is no URL`;
  return url.protocol === 'https:' ? null : `base_url is ${baseUrl.slice(0, 100)}, and browsers want https`;
}

/** The keys at the top that differ: enough to know where to look. */
function difference(seen: unknown, wanted: unknown): string {
  const a = entriesOf(seen);
  const b = entriesOf(wanted);
  const keys = [...new Set([...a.keys(), ...b.keys()])].filter((key) => !isDeepStrictEqual(a.get(key), b.get(key)));
  const told = keys.slice(0, 5).map((key) => {
    if (!a.has(key)) return `${key} is missing`;
    return b.has(key) ? `${key} is ${JSON.stringify(a.get(key)).slice(0, 80)}` : `${key} is not in the config`;
  });
  return told.join(', ') || 'it is another document';
}

function entriesOf(value: unknown): Map<string, unknown> {
  return new Map(typeof value === 'object' && value !== null ? Object.entries(value) : []);
}
