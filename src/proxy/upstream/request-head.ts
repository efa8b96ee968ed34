/**
 * Writes the head of the request that goes upstream: always from the parsed form, with exactly one framing, so that
 * nothing is left for the homeserver to read differently. Target and field values pass byte for byte.
 */
import { DROPPED_FROM_REQUESTS, FieldId } from '../fields.ts';
import type { RequestHead } from '../front.ts';

/** What Portico adds about the client; see forwarding.ts for how each is found. */
export interface ForwardedFields {
  /** Value of X-Forwarded-For. */
  readonly forwardedFor: string;
  /** Value of X-Real-IP. */
  readonly clientAddress: string;
  readonly proto: 'https' | 'http';
  readonly requestId: string;
}

/** @returns the head as latin1 text, the empty line included */
export function upstreamRequestHead(head: RequestHead, forwarded: ForwardedFields): string {
  let text = `${head.method} ${head.target} HTTP/1.1\r\n${head.fields.lines(DROPPED_FROM_REQUESTS, head.connectionNames)}`;
  if (head.bodyLength === -1) text += 'Transfer-Encoding: chunked\r\n';
  else if (head.bodyLength > 0 || head.fields.first(FieldId.contentLength) !== null) {
    text += `Content-Length: ${String(head.bodyLength)}\r\n`;
  }
  if (head.expectsContinue) text += 'Expect: 100-continue\r\n';
  if (head.websocket) text += 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
  return (
    text +
    `X-Forwarded-For: ${forwarded.forwardedFor}\r\nX-Forwarded-Proto: ${forwarded.proto}\r\n` +
    `X-Forwarded-Host: ${head.authority}\r\nX-Real-IP: ${forwarded.clientAddress}\r\n` +
    `X-Request-Id: ${forwarded.requestId}\r\n\r\n`
  );
}
