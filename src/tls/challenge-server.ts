/**
 * The TLS server for TLS-ALPN-01 validations (RFC 8737 §3), apart from the one that serves: whatever a client does here, the
 * certificate of a challenge cannot reach anybody who did not ask for it, nor a session begun here continue elsewhere.
 */
import { constants } from 'node:crypto';
import { createSecureContext, createServer, type SecureContext, type Server, type TLSSocket } from 'node:tls';
import type { ChallengeResponder } from './challenge-responder.ts';
import { ACME_TLS } from './challenge-responder.ts';
import { secureContextOptions } from './options.ts';

/** Like that of the serving one. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/**
 * A server that is handed connections by `emit('connection', …)`, those whose ClientHello offers `acme-tls/1` and nothing else;
 * the caller ends them on `secureConnection`. It has no certificate but those of challenges under way.
 *
 * The caller's look at the ClientHello is what tells a validator from a visitor; here name and protocol are asked for once
 * more, because after a HelloRetryRequest there is a second hello. TLS 1.3 calls ALPNCallback first, TLS 1.2 SNICallback, and
 * each needs its certificate in the first of the two. (A second hello that leaves ALPN out, against RFC 8446 §4.1.2, calls
 * neither: it gets what the first one asked for, and the connection ends all the same.)
 * @param find - the challenge for a name as it came in SNI, in lower case and without a trailing dot
 * @param onDefect - hears of a certificate that OpenSSL does not take
 */
export function createChallengeTls(find: ChallengeResponder['tlsAlpn01'], onDefect: (error: unknown) => void): Server {
  const context = secureContextOptions('TLSv1.2');
  const chosen = new WeakSet<TLSSocket>();

  function contextFor(name: string): SecureContext | null {
    const challenge = find(name.toLowerCase().replace(/\.$/, ''));
    if (challenge === null) return null;
    try {
      return createSecureContext({ ...context, cert: challenge.certificate, key: challenge.key });
    } catch (error) {
      onDefect(error);
      return null;
    }
  }

  return createServer({
    ...context,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    // A validation is never resumed.
    secureOptions: (context.secureOptions ?? 0) | constants.SSL_OP_NO_TICKET,
    ALPNCallback(this: TLSSocket, { servername, protocols }: { servername: string; protocols: string[] }) {
      // Typed as a string, but false when a second hello has left the name out.
      const name: unknown = servername;
      if (protocols.length !== 1 || protocols[0] !== ACME_TLS || typeof name !== 'string') return undefined;
      const found = contextFor(name);
      if (found === null) return undefined;
      this.setKeyCert(found);
      chosen.add(this);
      return ACME_TLS;
    },
    SNICallback(this: TLSSocket, name: string, done: (error: Error | null, context?: SecureContext) => void) {
      // TLS 1.3: the certificate is set, and a context from here would make OpenSSL forget the protocol in a second hello.
      if (chosen.has(this)) {
        done(null);
        return;
      }
      const found = contextFor(name);
      if (found === null) done(new Error('no challenge'));
      else done(null, found);
    },
  });
}
