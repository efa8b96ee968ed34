/**
 * Renders the discovery documents of a site once, when the snapshot is built.
 * Source: Matrix v1.19, S-S "Resolving server names" (server); C-S "Well-known URIs" (client, support); v1.18 C-S "Policy
 * servers" (policy_server). The config has checked every value; nothing is checked again here.
 */
import type { WellKnownData } from './well-known-data.ts';

/** One contact of `/.well-known/matrix/support`: a role, and an address of at least one kind. */
interface SupportContact {
  /** `m.role.admin`, `m.role.security`, or a namespaced role. */
  readonly role: string;
  readonly matrix_id?: string | undefined;
  readonly email_address?: string | undefined;
}

/** What the documents say, as the config holds it. */
export interface WellKnownInput {
  readonly delegation: 'none' | 'well-known' | 'srv';
  /** `host[:port]` for `m.server`; null unless delegation is `well-known`. */
  readonly delegatedName: string | null;
  /** `m.homeserver.base_url`: where clients go. */
  readonly clientBaseUrl: string;
  /** Further keys of `/.well-known/matrix/client`; an `m.homeserver` among them is merged, its `base_url` wins. */
  readonly clientExtra: Readonly<Record<string, unknown>>;
  /** Null: no support document. */
  readonly support: { readonly contacts: readonly SupportContact[]; readonly support_page?: string | undefined } | null;
  /** Public keys of the policy server by algorithm, unpadded base64; null: no document. */
  readonly policyServer: { readonly public_keys: Readonly<Record<string, string>> } | null;
  /** For `Cache-Control`. Homeservers keep `m.server` between 5 minutes and 48 hours whatever it says. */
  readonly maxAgeSeconds: number;
}

/** The documents as they go out. */
export function wellKnownData(input: WellKnownInput): WellKnownData {
  return {
    server:
      input.delegation === 'well-known' && input.delegatedName !== null
        ? JSON.stringify({ 'm.server': input.delegatedName })
        : null,
    client: JSON.stringify(clientDocument(input)),
    support: input.support === null ? null : JSON.stringify(supportDocument(input.support)),
    policyServer: input.policyServer === null ? null : JSON.stringify({ public_keys: input.policyServer.public_keys }),
    maxAgeSeconds: input.maxAgeSeconds,
  };
}

function clientDocument(input: WellKnownInput): Record<string, unknown> {
  const { 'm.homeserver': extraHomeserver, ...extra } = input.clientExtra;
  const homeserver = typeof extraHomeserver === 'object' && extraHomeserver !== null ? extraHomeserver : {};
  return { 'm.homeserver': { base_url: input.clientBaseUrl, ...homeserver }, ...extra };
}

function supportDocument(support: NonNullable<WellKnownInput['support']>): Record<string, unknown> {
  return {
    ...(support.contacts.length > 0 && { contacts: support.contacts }),
    ...(support.support_page !== undefined && { support_page: support.support_page }),
  };
}
