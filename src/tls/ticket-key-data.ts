/** The key of stateless session tickets as plain data; every worker and node that shares it can resume a session. */
export interface TicketKeyData {
  /** 48 bytes: 16 name, 16 HMAC key, 16 AES key (Node's `ticketKeys`), base64. */
  readonly key: string;
  /** Milliseconds since the epoch from which this key is the one in use. */
  readonly activeFrom: number;
}
