/** Writes response heads to the client: always from the parsed form, with exactly one framing (RFC 9112 §6). */
import { STATUS_CODES } from 'node:http';
import { DROPPED_FROM_RESPONSES, FieldId, type FieldList } from '../fields.ts';
import type { ResponseHead } from '../front.ts';

/** How the client learns where the body ends. */
export type ResponseFraming = 'none' | 'length' | 'chunked' | 'close';

/** The framing of a response to a client of the given minor version. */
export function responseFraming(head: ResponseHead, minor: number): ResponseFraming {
  if (head.bodyLength === 0) return 'none';
  if (head.bodyLength > 0) return 'length';
  return minor === 1 ? 'chunked' : 'close';
}

function fieldLines(fields: FieldList, connectionNames: readonly string[] | null): string {
  return fields.lines(DROPPED_FROM_RESPONSES, connectionNames);
}

function statusLine(status: number, reason: string): string {
  return `HTTP/1.1 ${String(status)} ${reason === '' ? (STATUS_CODES[status] ?? '') : reason}\r\n`;
}

/** @returns the head as latin1 text, the empty line included */
export function responseHeadText(head: ResponseHead, framing: ResponseFraming, close: boolean): string {
  let text = statusLine(head.status, head.reason) + fieldLines(head.fields, head.connectionNames);
  if (framing === 'chunked') text += 'Transfer-Encoding: chunked\r\n';
  // HEAD and 304 tell the size of what is not sent; 204 must not (RFC 9110 §8.6).
  else if (head.contentLength !== null && head.status !== 204) text += `Content-Length: ${head.contentLength}\r\n`;
  if (close) text += 'Connection: close\r\n';
  return text + '\r\n';
}

/** @returns an interim response (RFC 9110 §15.2) as latin1 text */
export function informationalText(status: number, fields: FieldList): string {
  return `${statusLine(status, '')}${fieldLines(fields, null)}\r\n`;
}

/** @returns the 101 answer that starts a tunnel (RFC 6455 §4.2.2) as latin1 text */
export function switchingText(head: ResponseHead): string {
  const text = statusLine(101, head.reason) + fieldLines(head.fields, head.connectionNames);
  return `${text}Connection: Upgrade\r\nUpgrade: ${head.fields.first(FieldId.upgrade) ?? 'websocket'}\r\n\r\n`;
}
