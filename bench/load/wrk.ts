/** wrk: HTTP/1.1 over kept-alive TLS connections, as fast as they are answered. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SERVER_NAME } from '../setup/stand.ts';
import type { Stand } from '../setup/stand.ts';
import { runLoad } from './outcome.ts';
import type { Outcome } from './outcome.ts';

/** One request of a script. */
export interface ScriptedRequest {
  readonly method: string;
  readonly target: string;
  /** Fields beside Host. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What wrk is told. */
export interface WrkLoad {
  readonly connections: number;
  readonly seconds: number;
  /** Sent one after the other, over and over. */
  readonly requests: readonly ScriptedRequest[];
}

/** wrk counts what it sent and got; a line of JSON is easier to read than its report. */
const DONE = `
done = function(summary)
  local e = summary.errors
  io.write(string.format('\\nJSON {"requests":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\\n',
    summary.requests, e.connect, e.read, e.write, e.status, e.timeout))
end
`;

/** A Lua string with these bytes. */
export function luaString(text: string): string {
  return `"${text.replace(/["\\\n\r\0]/g, (char) => `\\${String(char.charCodeAt(0)).padStart(3, '0')}`)}"`;
}

/** The script; the requests are put together before the load starts, so that wrk has nothing to do but send. */
export function wrkScript(requests: readonly ScriptedRequest[]): string {
  const formats = requests.map(({ method, target, headers, body }) => {
    const fields = Object.entries(headers).map(([name, value]) => `[${luaString(name)}]=${luaString(value)}`);
    const content = body === '' ? 'nil' : luaString(body);
    return `wrk.format(${luaString(method)}, ${luaString(target)}, {${fields.join(',')}}, ${content})`;
  });
  // wrk itself adds Host and Content-Length.
  return `
local requests, turn = {}, 0
init = function()
  requests = {
    ${formats.join(',\n    ')}
  }
end
request = function()
  turn = turn % #requests + 1
  return requests[turn]
end
${DONE}`;
}

/** Reads the line that the script wrote. */
export function parseWrk(output: string): Outcome {
  const line = /^JSON (\{.*\})$/m.exec(output)?.[1];
  if (line === undefined) throw new Error(`wrk said nothing of its result: ${output.slice(-300)}`);
  const { requests, ...errors } = JSON.parse(line) as Record<string, number>;
  const wrong = Object.entries(errors).filter(([, count]) => count > 0);
  return {
    requests: requests ?? 0,
    errors: wrong.reduce((sum, [, count]) => sum + count, 0),
    problem: wrong.map(([kind, count]) => `${kind}: ${String(count)}`).join(', '),
  };
}

/** Runs it. */
export async function runWrk(stand: Stand, port: number, load: WrkLoad): Promise<Outcome> {
  const script = join(stand.directory, 'wrk.lua');
  writeFileSync(script, wrkScript(load.requests));
  const args = ['-t1', `-c${String(load.connections)}`, `-d${String(load.seconds)}s`, '--timeout', '20s', '-s', script];
  const limitMs = load.seconds * 1000 + 60_000;
  return parseWrk(await runLoad(stand.cpus.load, 'wrk', [...args, `https://${SERVER_NAME}:${String(port)}/`], limitMs));
}
