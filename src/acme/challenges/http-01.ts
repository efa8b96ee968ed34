/** HTTP-01 (RFC 8555 §8.3): the key authorization under the token's path, answered by the data plane for any Host. */
import { PorticoError } from '../../base/errors.ts';
import { isChallengeToken } from '../../tls/challenge-responder.ts';
import type { ChallengeSolver } from '../challenge.ts';
import type { ChallengeBoard } from './board.ts';

/** The solver; presenting is at once. */
export function http01Solver(board: ChallengeBoard): ChallengeSolver {
  return {
    type: 'http-01',
    present: async ({ token, keyAuthorization, wildcard }, signal) => {
      signal.throwIfAborted();
      if (wildcard) throw impossible('http-01 cannot show control of a wildcard.', 'Use dns-01 for it.');
      if (!isChallengeToken(token)) {
        throw impossible(
          'The CA sent a token that is not base64url, or longer than 128 characters.',
          'Use another challenge or CA: this one breaks RFC 8555 §8.3.',
        );
      }
      board.putHttp01(token, keyAuthorization);
      return Promise.resolve();
    },
    cleanUp: async ({ token, keyAuthorization }) => {
      board.removeHttp01(token, keyAuthorization);
      return Promise.resolve();
    },
  };
}

function impossible(message: string, fix: string): PorticoError {
  return new PorticoError('ACME_CHALLENGE_IMPOSSIBLE', message, { fix });
}
