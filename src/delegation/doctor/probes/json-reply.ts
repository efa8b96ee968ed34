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

/** The value; undefined when the text is not JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
