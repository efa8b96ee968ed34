/** What the web servers of base domains that are elsewhere must serve, ready to copy. */
import { isDeepStrictEqual } from 'node:util';
import type { DocumentSeen } from '../../delegation/doctor/evidence.ts';
import type { PlanSite } from '../../delegation/plan/plan-site.ts';
import type { SiteLook } from '../../delegation/plan/site-look.ts';
import { baseDocuments, fileName, FILES_DIRECTORY, snippets } from '../../delegation/plan/snippets.ts';
import type { BaseDocument } from '../../delegation/plan/snippets.ts';
import type { PlanContext, PlanLine, PlanSection } from './section.ts';

/** How a document stands. */
type DocumentState = 'served' | 'missing' | 'differs' | 'not-answered' | 'not-looked-at';

/** The section `base_domains`. */
export function baseDomainsSection({ sites, looks }: PlanContext): PlanSection {
  const data = sites
    .filter(({ baseDomain, name }) => baseDomain === 'elsewhere' && !name.isIp)
    .map((site) => {
      const look = looks?.get(site.name.text) ?? null;
      const documents = baseDocuments(site.documents);
      return {
        server_name: site.name.text,
        documents: documents.map(({ path, body }) => ({
          path,
          status: body === null ? 404 : 200,
          body,
          state: stateOf({ path, body }, look),
        })),
        cors: 'Access-Control-Allow-Origin: *',
        ...snippets(documents, redirectOf(site)),
      };
    });
  const lines = data.flatMap(({ server_name, documents, nginx, caddy, apache }): PlanLine[] => [
    { depth: 0, text: `https://${server_name}`, kind: 'head' },
    ...documents.flatMap(({ path, body, state }): PlanLine[] => [
      {
        depth: 1,
        text: `${path}: ${body === null ? 'must answer 404' : 'must answer 200'}${STATES[state]}`,
        kind: state === 'differs' ? 'warn' : state === 'served' ? 'good' : 'plain',
      },
      ...(body === null ? [] : [{ depth: 2, text: body, kind: 'copy' } as const]),
    ]),
    { depth: 1, text: 'with Access-Control-Allow-Origin: * on every answer, 404 and redirects too' },
    ...block('nginx, within server { }', nginx),
    ...block('Caddy, within the block of the site', caddy),
    ...block('Apache, within <VirtualHost> (mod_headers, mod_alias), with the files below', apache),
    ...block(
      `Files, in ${FILES_DIRECTORY}`,
      documents.flatMap(({ path, body }) => (body === null ? [] : [`${fileName(path)}: ${body}`])).join('\n'),
    ),
  ]);
  return { key: 'base_domains', title: 'What the base domain must serve', data, lines };
}

const STATES: Record<DocumentState, string> = {
  served: ' ✓',
  missing: ', answers 404',
  differs: ' ! answers something else',
  'not-answered': ', does not answer',
  'not-looked-at': '',
};

function block(title: string, text: string): PlanLine[] {
  return [
    { depth: 0, text: '' },
    { depth: 1, text: title, kind: 'head' },
    ...text.split('\n').map((line): PlanLine => ({ depth: 1, text: line, kind: 'copy' })),
  ];
}

function redirectOf(site: PlanSite): { readonly to: string } | null {
  const own = site.certify.find(({ name }) => name === site.name.hostname);
  const to = site.delegatedName?.hostname ?? site.hosts[0];
  return own?.challenges.includes('http-01') === true && to !== undefined ? { to } : null;
}

function stateOf({ path, body }: BaseDocument, look: SiteLook | null): DocumentState {
  if (look === null) return 'not-looked-at';
  const { resolution, client, support } = look.evidence;
  if (path.endsWith('/server')) {
    const seen = resolution.wellKnown;
    if (seen === null || seen.outcome === 'unreachable') return 'not-answered';
    if (body === null) return seen.outcome === 'absent' ? 'served' : 'differs';
    if (seen.outcome === 'absent') return 'missing';
    return seen.mServer !== null && isDeepStrictEqual(JSON.parse(body), { 'm.server': seen.mServer })
      ? 'served'
      : 'differs';
  }
  const seen: DocumentSeen | null = path.endsWith('/client') ? client : path.endsWith('/support') ? support : null;
  if (seen === null) return 'not-looked-at';
  if (seen.status === null) return 'not-answered';
  if (seen.status === 404) return 'missing';
  return body !== null && seen.status === 200 && isDeepStrictEqual(seen.json, JSON.parse(body)) ? 'served' : 'differs';
}
