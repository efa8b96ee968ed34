/** What can be said of a request head before its end has come. */
import type { RefusalCode } from '../../policy/refusals.ts';

const CR = 0x0d;
const LF = 0x0a;

/**
 * Why the rest need not be waited for; null while the head may still become one.
 * @param end - of what has come; the empty line, if it has come, is included
 */
export function unfinishedHeadProblem(
  bytes: Buffer,
  start: number,
  end: number,
  limits: { readonly maxHeadBytes: number; readonly maxTargetBytes: number },
): RefusalCode | null {
  if (!looksLikeRequest(bytes, start) || hasBareLf(bytes, start, end)) return 'BAD_REQUEST';
  if (end - start <= limits.maxHeadBytes) return null;
  const lineEnd = bytes.indexOf(LF, start);
  return lineEnd === -1 || lineEnd - start > limits.maxTargetBytes + 64 ? 'TARGET_TOO_LONG' : 'HEAD_TOO_LARGE';
}

/** A token and a space is how a request line starts: not TLS on the plain port, nor an HTTP/2 preface. */
function looksLikeRequest(bytes: Buffer, start: number): boolean {
  const line = bytes.toString('latin1', start, Math.min(bytes.length, start + 32));
  return /^[A-Za-z!#$%&'*+\-.^_`|~0-9]{1,31}(?: |$)/.test(line) && !line.startsWith('PRI * ');
}

/** A line end without CR: the empty line that ends a head will never come. */
function hasBareLf(bytes: Buffer, start: number, end: number): boolean {
  for (let at = bytes.indexOf(LF, start); at !== -1 && at < end; at = bytes.indexOf(LF, at + 1)) {
    if (at === start || bytes[at - 1] !== CR) return true;
  }
  return false;
}
