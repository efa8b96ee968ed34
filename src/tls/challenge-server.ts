/**
 * The TLS server for TLS-ALPN-01 validations (RFC 8737 §3), apart from the one that serves: whatever a client does here, the
 * certificate of a challenge cannot reach anybody who did not ask for it, nor a session begun here continue elsewhere.
 */
import { constants } from 'node:crypto';
import { createSecureContext, createServer, type Server } from 'node:tls';
import type { ChallengeResponder } from './challenge-responder.ts';
import { ACME_TLS } from './challenge-responder.ts';
import { secureContextOptions } from './options.ts';

/** Like that of the serving one. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/**
 * A server that is handed connections by `emit('connection', …)`, those whose ClientHello offers `acme-tls/1` and nothing else;
 * the caller ends them on `secureConnection`. It has no certificate but those of challenges under way.
 *
 * The caller's look at the ClientHello is what tells a validator from a visitor; here everything is asked once more, because
 * after a HelloRetryRequest there is a second hello. TLS 1.3 calls ALPNCallback first, TLS 1.2 SNICallback; either alone
 * fails the handshake before a certificate is sent. (A second hello that leaves ALPN out, against RFC 8446 §4.1.2, calls only
 * SNICallback: it gets what the first had asked for, and the connection ends all the same.)
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
    ALPNCallback: ({ protocols }) => (protocols.length === 1 && protocols[0] === ACME_TLS ? ACME_TLS : undefined),
    SNICallback: (name, done) => {
      const challenge = find(name.toLowerCase().replace(/\.$/, ''));
      if (challenge === null) {
        done(new Error('no challenge'));
        return;
      }
      try {
        done(null, createSecureContext({ ...context, cert: challenge.certificate, key: challenge.key }));
      } catch (error) {
        onDefect(error);
        done(new Error('no context'));
      }
    },
  });
}
