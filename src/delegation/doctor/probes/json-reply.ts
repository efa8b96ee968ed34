import type { HttpsReply } from '../../resolve/document.ts';
import type { JsonReply } from '../evidence.ts';

/** Enough for people to recognise an error page. */
const TEXT_CHARACTERS = 200;

/** A response, read as JSON if it can be. */
export function jsonReply({ status, headers, body }: Omit<HttpsReply, 'address'>, ms: number): JsonReply {
  const text = body.toString('utf8');
  return {
    status,
    contentType: headers['content-type'] ?? null,
    cors: headers['access-control-allow-origin'] ?? null,
    server: headers.server?.toString() ?? null,
    location: headers.location ?? null,
    json: parsed(text),
    text: text.slice(0, TEXT_CHARACTERS),
    ms,
  };
}

/** Deeper than anything Matrix knows, and far from what overflows a stack when it is printed or compared. */
const MAX_DEPTH = 100;

/** The value; undefined when the text is not JSON, or JSON that is nested beyond all sense. */
export function parsed(text: string): unknown {
  if (isDeep(text)) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function isDeep(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (inString) {
      if (char === '\\') at += 1;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === '[' || char === '{') {
      depth += 1;
      if (depth > MAX_DEPTH) return true;
    } else if (char === ']' || char === '}') depth -= 1;
  }
  return false;
}
