/**
 * TLS settings of the server, all in one place: Mozilla's "intermediate" of v5.8 (2026-05-03), because "modern" (TLS 1.3
 * only) would cut off old federation peers.
 */
import { constants } from 'node:crypto';
import type { SecureContextOptions, TlsOptions } from 'node:tls';
import type { TicketKeyData } from './ticket-key-data.ts';

/** Oldest version that is served. */
export type MinTlsVersion = 'TLSv1.2' | 'TLSv1.3';

/** AES-128-GCM first: with SHA extensions in the CPU the SHA-384 suite costs several per cent of a handshake. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
];

/** The post-quantum hybrid first, for the clients that offer it. */
const GROUPS = ['X25519MLKEM768', 'X25519', 'prime256v1', 'secp384r1'];

/** A handshake takes two round trips; whoever needs longer than this is stuck or hostile. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/**
 * How long a session may be resumed, in seconds. Resuming costs a TLS 1.3 server as much CPU as a full ECDSA handshake and
 * saves the client just a signature check, so there is no reason to keep sessions for longer.
 */
const SESSION_TIMEOUT_SECONDS = 3600;

/**
 * Fixed, because Node's default is a hash of the command line, and sessions are resumed only where it is the same. It
 * may be one for all names as no client certificate is ever asked for.
 */
const SESSION_ID_CONTEXT = 'portico';

/**
 * Options of every SecureContext, without certificate and key.
 *
 * Mozilla lets the client choose the cipher. Portico does not: OpenSSL clients (Synapse among them) ask for AES-256 first,
 * and the server would pay for it. Clients that ask for ChaCha20 first have no AES hardware and do get it.
 *
 * No renegotiation (OpenSSL refuses it in TLS 1.2; TLS 1.3 has none). No 0-RTT: Node never accepts early data.
 */
export function secureContextOptions(minVersion: MinTlsVersion): SecureContextOptions {
  return {
    minVersion,
    maxVersion: 'TLSv1.3',
    ciphers: CIPHERS.join(':'),
    ecdhCurve: GROUPS.join(':'),
    honorCipherOrder: true,
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_PRIORITIZE_CHACHA,
  };
}

/**
 * Options of the `tls.Server`. Ticket key, session id context and session time-out work only here: what SNI contexts say
 * about them is ignored. A new ticket key reaches a running server by `server.setTicketKeys(ticketKeyBytes(key))`.
 *
 * The server's own context has no certificate, so a client whose name nobody answers for gets the alert handshake_failure
 * and no signature; certificates come from `SNICallback` or from the caller, who adds them with `ALPNProtocols`.
 */
export function tlsServerOptions(minVersion: MinTlsVersion, ticketKey: TicketKeyData): TlsOptions {
  return {
    ...secureContextOptions(minVersion),
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    sessionTimeout: SESSION_TIMEOUT_SECONDS,
    sessionIdContext: SESSION_ID_CONTEXT,
    ticketKeys: ticketKeyBytes(ticketKey),
  };
}

/** The 48 bytes that Node takes as `ticketKeys`. */
export function ticketKeyBytes(ticketKey: TicketKeyData): Buffer {
  return Buffer.from(ticketKey.key, 'base64');
}
