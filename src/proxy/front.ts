/**
 * The seam between the protocol spoken with the client and everything behind it. A front (an HTTP/1 connection, later an
 * HTTP/2 stream) turns bytes into a `RequestHead` and calls the exchange; the exchange answers through `Front`. Neither
 * side knows what the other is made of.
 */
import type { FieldList } from './fields.ts';

/** A request head as every protocol delivers it; grammar and framing are already checked. */
export interface RequestHead {
  readonly method: string;
  /** Byte for byte as sent, one character per byte. */
  readonly target: string;
  /** Host, or `:authority`. */
  readonly authority: string;
  readonly fields: FieldList;
  /** Body size when it is known; 0 for none, -1 when only its end will tell. */
  readonly bodyLength: number;
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean;
  /** Names that `Connection` lists beside `close`, `keep-alive` and `upgrade`, lower case; they end here. Null for none. */
  readonly connectionNames: readonly string[] | null;
  /** A well-formed WebSocket upgrade (RFC 6455 §4.2.1). */
  readonly websocket: boolean;
}

/** A response head as the upstream sent it; grammar and framing are already checked. */
export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  readonly fields: FieldList;
  /** Body size when it is known, 0 for none, -1 when only its end will tell. */
  readonly bodyLength: number;
  /** Value of Content-Length as sent even where no body follows (HEAD, 304), else null. */
  readonly contentLength: string | null;
  readonly connectionNames: readonly string[] | null;
}

/** What the exchange can do to its client. All calls are cheap and none throws. */
export interface Front {
  readonly protocol: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2';
  /** Passes a 1xx response on, other than 101. */
  sendInformational(status: number, fields: FieldList): void;
  /**
   * Sends the response head. Nothing needs to leave before `flush`, so that head and first bytes can share a write.
   * @param close - the connection cannot carry another request after this response
   */
  sendHead(head: ResponseHead, close: boolean): void;
  /**
   * Sends a piece of the body.
   * @param borrowed - the bytes are valid only during the call; otherwise the front may keep them
   * @returns false when the client takes no more for now; `Exchange.onClientDrain` follows
   */
  sendBody(chunk: Buffer, borrowed: boolean): boolean;
  /** Ends the response; the front is done with the exchange once the request has been read, too. */
  sendEnd(): void;
  /** Lets what was sent since the last flush leave. */
  flush(): void;
  /** Breaks the response off so that the client cannot take it for complete. */
  abort(): void;
  /** Answers 101 and turns both directions into plain bytes. */
  switchToTunnel(head: ResponseHead): void;
  /** Stops and starts the delivery of the request body. */
  pauseRequest(): void;
  resumeRequest(): void;
  /** Bytes sent but not yet taken by the client. */
  pendingBytes(): number;
}
