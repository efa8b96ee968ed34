/** Alerts that Portico sends before a TLS library has the connection. Source: RFC 8446 §6, numbers of §6 and RFC 6066 §9. */

const DESCRIPTIONS = {
  handshake_failure: 40,
  decode_error: 50,
  protocol_version: 70,
  internal_error: 80,
  unrecognized_name: 112,
} as const;

/** Names as in RFC 8446 §6. */
export type TlsAlertDescription = keyof typeof DESCRIPTIONS;

const RECORD_ALERT = 21;
const LEVEL_FATAL = 2;

/** One record with a fatal alert in clear text, as a server sends it in answer to a ClientHello; close after writing it. */
export function tlsAlert(description: TlsAlertDescription): Buffer {
  return Buffer.from([RECORD_ALERT, 3, 3, 0, 2, LEVEL_FATAL, DESCRIPTIONS[description]]);
}
