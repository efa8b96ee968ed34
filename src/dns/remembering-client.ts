/** A DNS client that asks no question twice; for one look at one server, which is over before any record expires. */
import type { DnsAnswer, DnsClient } from './dns-client.ts';

/** Remembers every answer, errors too. Make one for each look: it forgets nothing. */
export function createRememberingClient(client: DnsClient): DnsClient {
  const answers = new Map<string, Promise<DnsAnswer>>();
  return {
    query: (name, type, options) => {
      const key = `${type} ${name.toLowerCase()}`;
      const known = answers.get(key);
      if (known !== undefined) return known;
      const answer = client.query(name, type, options);
      answers.set(key, answer);
      return answer;
    },
  };
}
