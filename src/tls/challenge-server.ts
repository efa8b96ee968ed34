/**
 * The TLS server for TLS-ALPN-01 validations (RFC 8737 §3), apart from the one that serves: whatever a client does here, the
 * certificate of a challenge cannot reach anybody who did not ask for it, nor a session begun here continue elsewhere.
 */
import { constants } from 'node:crypto';
import { createSecureContext, createServer, type Server, type TLSSocket } from 'node:tls';
import type { ChallengeResponder } from './challenge-responder.ts';
import { ACME_TLS } from './challenge-responder.ts';
import { secureContextOptions } from './options.ts';

/** Like that of the serving one. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/**
 * A server that is handed connections by `emit('connection', …)`; the caller ends them on `secureConnection`. It has no
 * certificate until the client has shown, by name and protocol, that it validates a challenge that is under way; without
 * that the handshake fails.
 * @param find - the challenge for a name as it came in SNI, in lower case and without a trailing dot
 * @param onDefect - hears of a certificate that OpenSSL does not take
 */
export function createChallengeTls(find: ChallengeResponder['tlsAlpn01'], onDefect: (error: unknown) => void): Server {
  const context = secureContextOptions('TLSv1.2');
  return createServer({
    ...context,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    // A validation is never resumed.
    secureOptions: (context.secureOptions ?? 0) | constants.SSL_OP_NO_TICKET,
    // In TLS 1.3 this is called before SNICallback, which would overwrite the certificate set here: there must be none.
    ALPNCallback(this: TLSSocket, { servername, protocols }) {
      if (protocols.length !== 1 || protocols[0] !== ACME_TLS) return undefined;
      const challenge = find(servername.toLowerCase().replace(/\.$/, ''));
      if (challenge === null) return undefined;
      try {
        this.setKeyCert(createSecureContext({ cert: challenge.certificate, key: challenge.key }));
      } catch (error) {
        onDefect(error);
        return undefined;
      }
      return ACME_TLS;
    },
  });
}
