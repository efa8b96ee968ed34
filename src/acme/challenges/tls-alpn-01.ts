/** TLS-ALPN-01 (RFC 8737; RFC 8738 §6 for addresses): a certificate for the name that says what the CA wants to hear. */
import type { Clock } from '../../base/clock.ts';
import { PorticoError } from '../../base/errors.ts';
import { reverseName } from '../../base/reverse-name.ts';
import { issueChallengeCertificate } from '../../tls/issue-challenge.ts';
import type { ChallengeSolver } from '../challenge.ts';
import type { AcmeIdentifier } from '../identifier.ts';
import type { ChallengeBoard } from './board.ts';

/** What the certificates are made with. */
export interface TlsAlpn01Deps {
  readonly clock: Clock;
  /** Cryptographically strong bytes: `randomBytes` of node:crypto. */
  readonly random: (size: number) => Buffer;
}

/** The solver; presenting takes as long as making a key and a signature. */
export function tlsAlpn01Solver(board: ChallengeBoard, { clock, random }: TlsAlpn01Deps): ChallengeSolver {
  return {
    type: 'tls-alpn-01',
    present: async ({ identifier, wildcard, keyAuthorization }, signal) => {
      signal.throwIfAborted();
      if (wildcard) {
        throw new PorticoError('ACME_CHALLENGE_IMPOSSIBLE', 'tls-alpn-01 cannot show control of a wildcard.', {
          fix: 'Use dns-01 for it.',
        });
      }
      const made = await issueChallengeCertificate(identifier.value, keyAuthorization, clock.now(), random);
      // Nobody cleans up after a `present` that threw.
      signal.throwIfAborted();
      board.putTlsAlpn01(servernameOf(identifier), keyAuthorization, made);
    },
    cleanUp: async ({ identifier, keyAuthorization }) => {
      board.removeTlsAlpn01(servernameOf(identifier), keyAuthorization);
      return Promise.resolve();
    },
  };
}

/** The SNI that a validator sends. */
function servernameOf({ type, value }: AcmeIdentifier): string {
  return type === 'ip' ? reverseName(value) : value.toLowerCase();
}
