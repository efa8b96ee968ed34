/** docs/benchmarks.md, made from the kept results. */
import { CONTENDERS } from '../contenders/index.ts';
import type { RowResult } from '../measure/rounds.ts';
import { ROWS } from '../rows/index.ts';
import { plotsOf } from './plots.ts';
import { resultsOf } from './results.ts';
import type { Kept, Provenance } from './results.ts';
import { cells, voids } from './table.ts';
import { formatVerdict, verdicts } from './targets.ts';
import { whereWorse } from './worse.ts';

/** The page, not yet formatted; plots are in `benchmarks/` beside it. */
export function benchmarkPage(kept: Kept): string {
  const results = resultsOf(kept, ROWS);
  const used = CONTENDERS.filter(({ id }) => results.some(({ entries }) => entries.has(id)));
  const tables = results.filter(({ row }) => row.curve === undefined);
  const judged = results.flatMap(verdicts);
  const worse = whereWorse(results, used);
  const broken = voids(results, used);
  return [
    '# Benchmarks',
    'Written by `npm run bench`; do not edit. Figures are what the proxy costs, as CPU time per request (user and system, all its processes), except where a unit is given. Ratios are to nginx with the whole Matrix job in the same run. Portico has its access log and its metrics on.',
    '## Targets',
    markdownTable([
      ['', 'at most', 'reached', ''],
      ...judged.map((verdict) => [verdict.row, verdict.limit, verdict.reached || '–', formatVerdict(verdict)]),
    ]),
    '## Where Portico is worse',
    worse.length === 0
      ? 'Nowhere, in what was measured.'
      : `Every figure in which another contender needs less than Portico, the widest gap first; the number is Portico's figure as a multiple of the other's.`,
    worse
      .map(
        ({ row, better }) =>
          `- ${row}: ${better.map(({ title, times }) => `${title} ${times.toFixed(2)} ×`).join(', ')}`,
      )
      .join('\n'),
    '## All figures',
    'Median of the rounds, least and most in parentheses, ratio to nginx with the Matrix job. `~`: other work disturbed some of the rounds; `void`: the contender made a mistake under this load; `–`: it does not speak what the row needs.',
    markdownTable(cells(tables, used, false)),
    broken.length === 0 ? '' : `Void:\n\n${broken.map((line) => `- ${oneLine(line)}`).join('\n')}`,
    'What passed in the same rounds. This depends on load generator and backend as much as on the contender, and is no measure of it.',
    markdownTable(cells(tables, used, true)),
    '## How cost grows',
    ...growth(results, used),
    '## Method',
    METHOD,
    '## Machine and versions',
    markdownTable([
      ['rows', 'day', 'commit', 'machine', 'kernel', 'rounds × seconds'],
      ...runs(kept).map(({ rows, from }) => [
        rows,
        from.day,
        from.commit,
        from.machine,
        from.kernel,
        `${String(from.rounds)} × ${String(from.seconds)}`,
      ]),
    ]),
    markdownTable([
      ['contender', 'version'],
      ...used.map(({ id, title }) => [
        title,
        [...new Set(runs(kept).flatMap(({ from }) => from.versions[id] ?? []))].join('; '),
      ]),
    ]),
  ]
    .filter(Boolean)
    .join('\n\n')
    .concat('\n');
}

function growth(results: readonly RowResult[], used: typeof CONTENDERS): string[] {
  return plotsOf(results, used).flatMap(({ file, plot, curve }, index, all) => {
    const last = all[index + 1]?.curve !== curve;
    const image = `![${plot.title}](benchmarks/${file})`;
    return last
      ? [
          image,
          markdownTable(
            cells(
              results.filter(({ row }) => row.curve?.id === curve),
              used,
              false,
            ),
          ),
        ]
      : [image];
  });
}

/** Runs that the rows come from, with how many each gave. */
function runs(kept: Kept): { rows: string; from: Provenance }[] {
  const byRun = new Map<string, { count: number; from: Provenance }>();
  for (const row of ROWS) {
    const from = kept[row.id]?.from;
    if (from === undefined) continue;
    const key = JSON.stringify(from);
    byRun.set(key, { count: (byRun.get(key)?.count ?? 0) + 1, from });
  }
  return [...byRun.values()].map(({ count, from }) => ({ rows: String(count), from }));
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').slice(0, 200);
}

/** Prettier puts it into columns. */
export function markdownTable(lines: readonly (readonly string[])[]): string {
  const [head = [], ...rest] = lines.map((line) => line.map((cell) => cell.replaceAll('|', '\\|')));
  return [head, head.map(() => '---'), ...rest].map((line) => `| ${line.join(' | ')} |`).join('\n');
}

const METHOD = `The contender runs on one CPU, load generator and backend on another. Its CPU time is read from \`/proc\` before and after each
round, so neither the speed of the load nor idle time is in the figure. Rounds take turns between the contenders, each starting
with another one. Before anything is timed every contender is sent the same requests over every protocol that it speaks, and status, body,
and what the backend saw (method, target bytes, Host, hash of the body) must be right; an error in any round makes the row void for
it.

- Load: wrk over HTTP/1.1 and h2load over HTTP/2 (clients × streams each), both over TLS 1.3 with kept-alive connections and an ECDSA
  P-256 certificate; a loader of our own (\`bench/loader\`, Go) for new connections, large bodies, waiting clients, WebSockets and fixed
  rates. Handshakes are X25519 for all.
- Backend: nginx, answering with a homeserver's header fields and a small JSON body; for large bodies, long polls and WebSockets a
  server of our own that reads every body to its end.
- nginx is tuned in its favour: one worker, 512 kept-alive upstream connections, \`pcre_jit\`, buffered log, small bodies buffered and uploads
  streamed, AES-128 first as in Portico. "Matrix job" is the 102 worker rules of Synapse's \`docs/workers.md\` as \`location ~\`, and a JSON line
  per request. HAProxy, Caddy and the Node relays write no log and have no rules.
- Latency: a fixed rate, whether answers come or not, measured from when each request was due.
- Idle long polls: 5,000 of them on a fresh process that has served a second of handshakes; what its memory grew by, per poll.
- Many sites: a certificate and key in files for each, handshakes spread over all of them; start is from the start of the process until it
  takes connections. The Matrix rules are left out for nginx here.
- Open connections: ${String(4000)} requests a second that go through all of them in turn.
- A round in which others took more than 20 % of a CPU is repeated, for as long as the run has patience.
- Differences of a few per cent between runs are noise; compare within a row.`;
