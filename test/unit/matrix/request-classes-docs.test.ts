// docs/request-classes.md is printed from the table of endpoints: run this file with `vitest run -u` to print it again.
import { format } from 'prettier';
import { expect, it } from 'vitest';
import { REQUEST_CLASSES } from '../../../src/base/request-class.ts';
import type { RequestClass } from '../../../src/base/request-class.ts';
import { ENDPOINTS } from '../../../src/matrix/endpoints.ts';

const ABOUT: Record<RequestClass, string> = {
  sync: 'Long polls: the homeserver waits on purpose, as long as the request asks for.',
  join: 'Joins, state and history: the homeserver works for minutes, or asks other servers first.',
  transaction:
    'What other servers send us: large bodies, and nothing else comes from that server until it is answered.',
  media_up: 'Files from clients.',
  media_down: 'Files to clients and servers.',
  client: 'Every other request of clients.',
  federation: 'Every other request of servers.',
  discovery: 'The documents under `/.well-known/matrix`.',
  site: 'The rest of the site: the fallback.',
};

function print(): string {
  const parts = [
    '# Classes of requests',
    '',
    'Printed from `src/matrix/endpoints.ts`. Each class has its own time-outs and limits (`limits` in the',
    '[configuration](configuration.md)). `{name}` is one segment of the path, `/**` the path itself and everything below it,',
    '`{version}` one segment or `api/v1`. GET covers HEAD. The most specific line wins; a line whose method does not fit counts',
    'as absent. A listener with `only: [federation]` relays the lines marked F.',
    '',
  ];
  for (const requestClass of REQUEST_CLASSES) {
    parts.push(
      `## ${requestClass}`,
      '',
      ABOUT[requestClass],
      '',
      '| method | path | | why |',
      '| --- | --- | --- | --- |',
    );
    for (const rule of ENDPOINTS.filter((candidate) => candidate.requestClass === requestClass)) {
      const { method, pattern, federation, reason } = rule;
      parts.push(`| ${method === '*' ? 'any' : method} | \`${pattern}\` | ${federation ? 'F' : ''} | ${reason} |`);
    }
    parts.push('');
  }
  return parts.join('\n');
}

it('docs/request-classes.md says what the table says', async () => {
  const text = await format(print(), { parser: 'markdown', printWidth: 120, singleQuote: true });
  await expect(text).toMatchFileSnapshot('../../../docs/request-classes.md');
});
