/**
 * How a careless homeserver might read the same bytes: bare LF ends a line, the first Content-Length counts, any
 * Transfer-Encoding that mentions chunked counts. Tests ask for every reading, so that a request hidden from one of them shows.
 */

/** Which of two framings a reader believes when both are there, or whether it knows chunked at all. */
export type Reading = 'te-first' | 'cl-first' | 'cl-last';

/** A request head, read without judging it. */
export interface LenientHead {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  /** Names as sent. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** The bytes of the head, latin1. */
  readonly text: string;
}

/** End of a head for a lenient reader. */
export const HEAD_END = /\r?\n\r?\n/;

/** Reads the lines of a head; never throws. */
export function readHead(text: string): LenientHead {
  const [first = '', ...lines] = text.replace(/^(\r?\n)+/, '').split(/\r?\n/);
  const [method = '', target = '', version = ''] = first.split(' ');
  const fields = lines
    .filter((line) => line.includes(':'))
    .map((line): readonly [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
    });
  return { method, target, version, fields, text };
}

/** All values of a field, whatever the case of its name. */
export function valuesIn(head: LenientHead, name: string): string[] {
  return head.fields.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
}

/** How long a lenient reader takes the body to be. */
export function lenientFraming(head: LenientHead, reading: Reading): 'chunked' | number {
  const lengths = valuesIn(head, 'content-length').map((value) => Number.parseInt(value, 10) || 0);
  const chunked = valuesIn(head, 'transfer-encoding').some((value) => value.toLowerCase().includes('chunked'));
  if (chunked && (reading === 'te-first' || lengths.length === 0)) return 'chunked';
  return (reading === 'cl-last' ? lengths.at(-1) : lengths[0]) ?? 0;
}

function skipChunks(text: string, from: number): number {
  let at = from;
  for (;;) {
    const lineEnd = text.indexOf('\n', at);
    if (lineEnd === -1) return text.length;
    const size = Number.parseInt(text.slice(at, lineEnd), 16) || 0;
    at = lineEnd + 1;
    if (size === 0) break;
    at += size;
    at += text.startsWith('\r\n', at) ? 2 : text.startsWith('\n', at) ? 1 : 0;
  }
  for (;;) {
    const lineEnd = text.indexOf('\n', at);
    if (lineEnd === -1) return text.length;
    const line = text.slice(at, lineEnd).trim();
    at = lineEnd + 1;
    if (line === '') return at;
  }
}

/** Every request that a reader of this kind would have executed, as `METHOD target`. */
export function executions(bytes: Buffer, reading: Reading): string[] {
  const text = bytes.toString('latin1');
  const executed: string[] = [];
  let at = 0;
  for (;;) {
    const match = HEAD_END.exec(text.slice(at));
    if (match === null) return executed;
    const headEnd = at + match.index + match[0].length;
    const head = readHead(text.slice(at, headEnd));
    executed.push(`${head.method} ${head.target}`);
    const framing = lenientFraming(head, reading);
    at = framing === 'chunked' ? skipChunks(text, headEnd) : headEnd + framing;
    if (at >= text.length) return executed;
  }
}
