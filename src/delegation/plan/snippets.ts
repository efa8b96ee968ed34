/**
 * What the web server of a base domain that is elsewhere must do, in the languages of three of them and as plain files. The
 * bodies are those that Portico itself would serve. Pure.
 */
import type { WellKnownData } from '../well-known-data.ts';

/** One document. */
export interface BaseDocument {
  readonly path: string;
  /** Null: it must not be there, 404. */
  readonly body: string | null;
}

/** The way of HTTP-01 through that web server. */
export interface ChallengeRedirect {
  /** A host of Portico. */
  readonly to: string;
}

/** The texts, ready to copy. */
export interface Snippets {
  readonly nginx: string;
  readonly caddy: string;
  readonly apache: string;
}

/** Where the plain files lie in the snippets that need them. */
export const FILES_DIRECTORY = '/var/www/matrix-well-known';

/** nginx reads its config with a buffer of 4096 octets, and takes no longer word. */
const NGINX_MAX_BODY = 3500;

const CHALLENGES = '/.well-known/acme-challenge/';

/** The documents, in the order in which they are looked for. Those that nobody asked for are left out. */
export function baseDocuments(data: WellKnownData): BaseDocument[] {
  const optional = (path: string, body: string | null): BaseDocument[] => (body === null ? [] : [{ path, body }]);
  return [
    { path: '/.well-known/matrix/server', body: data.server },
    { path: '/.well-known/matrix/client', body: data.client },
    ...optional('/.well-known/matrix/support', data.support),
    ...optional('/.well-known/matrix/policy_server', data.policyServer),
  ];
}

/** @param redirect - null where HTTP-01 does not go through that server */
export function snippets(documents: readonly BaseDocument[], redirect: ChallengeRedirect | null): Snippets {
  return {
    nginx: nginx(documents, redirect),
    caddy: caddy(documents, redirect),
    apache: apache(documents, redirect),
  };
}

/** Goes into `server {}`. CORS on every answer, because browsers want it on 404, too. */
function nginx(documents: readonly BaseDocument[], redirect: ChallengeRedirect | null): string {
  const cors = '    add_header Access-Control-Allow-Origin "*" always;';
  const blocks = documents.map(({ path, body }) => {
    const lines = [`location = ${path} {`, '    default_type application/json;', cors];
    if (body === null) return [...lines, '    return 404;', '}'].join('\n');
    const text = plainJson(body).replaceAll('\\', '\\\\');
    const answer =
      text.length > NGINX_MAX_BODY ? `alias ${FILES_DIRECTORY}/${fileName(path)};` : `return 200 '${text}';`;
    return [...lines, `    ${answer}`, '}'].join('\n');
  });
  if (redirect !== null) {
    blocks.push([`location ^~ ${CHALLENGES} {`, `    return 302 http://${redirect.to}$request_uri;`, '}'].join('\n'));
  }
  return blocks.join('\n');
}

/** Goes into the block of the site. */
function caddy(documents: readonly BaseDocument[], redirect: ChallengeRedirect | null): string {
  const blocks = documents.map(({ path, body }) =>
    [
      `handle ${path} {`,
      '    header Access-Control-Allow-Origin "*"',
      ...(body === null
        ? ['    respond 404']
        : ['    header Content-Type application/json', `    respond \`${plainJson(body)}\` 200`]),
      '}',
    ].join('\n'),
  );
  if (redirect !== null) {
    blocks.push([`handle ${CHALLENGES}* {`, `    redir http://${redirect.to}{uri} 302`, '}'].join('\n'));
  }
  return blocks.join('\n');
}

/** Goes into `<VirtualHost>`; needs mod_headers and, Apache having no bodies in its config, the plain files. */
function apache(documents: readonly BaseDocument[], redirect: ChallengeRedirect | null): string {
  const lines = [
    `Alias /.well-known/matrix ${FILES_DIRECTORY}`,
    `<Directory ${FILES_DIRECTORY}>`,
    '    Require all granted',
    '    ForceType application/json',
    '</Directory>',
    '<Location /.well-known/matrix>',
    '    Header always set Access-Control-Allow-Origin "*"',
    '</Location>',
    ...documents.flatMap(({ path, body }) => (body === null ? [`Redirect 404 ${path}`] : [])),
    ...(redirect === null ? [] : [`Redirect 302 ${CHALLENGES} http://${redirect.to}${CHALLENGES}`]),
  ];
  return lines.join('\n');
}

/** The name of a document's file. */
export function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The same JSON without characters that mean something in a config: variables, placeholders, quotes. All stand in strings. */
function plainJson(body: string): string {
  return body.replaceAll(/[$'`]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
