/**
 * Writes the head of the request that goes upstream: always from the parsed form, with exactly one framing, so that
 * nothing is left for the homeserver to read differently. Target and field values pass byte for byte.
 */
import { FieldId } from '../fields.ts';
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

/**
 * True for a field that ends at this hop: hop-by-hop by name, or listed in Connection (RFC 9110 §7.6.1). A stranger's
 * Connection field can only remove fields without meaning to us (GHSA-gwhp-pf74-vj37).
 */
export function endsHere(id: number, name: string, connectionNames: readonly string[] | null): boolean {
  switch (id) {
    case FieldId.other:
    case FieldId.accept:
    case FieldId.ifNoneMatch:
      return connectionNames?.includes(name.toLowerCase()) === true;
    case FieldId.contentLength:
    case FieldId.transferEncoding:
    case FieldId.connection:
    case FieldId.upgrade:
    case FieldId.hopByHop:
    case FieldId.http2Settings:
      return true;
    default:
      return false;
  }
}

/** @returns the head as latin1 text, the empty line included */
export function upstreamRequestHead(head: RequestHead, forwarded: ForwardedFields): string {
  const { ids, names, values } = head.fields;
  let text = `${head.method} ${head.target} HTTP/1.1\r\n`;
  for (let index = 0; index < ids.length; index++) {
    const id = ids[index] ?? 0;
    const name = names[index] ?? '';
    if (id === FieldId.forwarding || id === FieldId.xForwardedFor || id === FieldId.expect) continue;
    if (endsHere(id, name, head.connectionNames)) continue;
    text += `${name}: ${values[index] ?? ''}\r\n`;
  }
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
