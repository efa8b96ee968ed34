/**
 * What is kept of an order while it is under way, under `acme/ISSUER/orders/ID.json`: enough to go on after a crash, and the
 * only copy of the certificate's key until the certificate itself is stored.
 */
import type { CertificateKeyType } from './certificate-request.ts';
import type { Store } from '../store/store.ts';

/** What an order is for; two that differ in this are different orders. */
export interface OrderPurpose {
  readonly names: readonly string[];
  readonly keyType: CertificateKeyType;
  readonly profile: string | null;
  readonly replaces: string | null;
}

/** One order under way. */
export interface OrderState extends OrderPurpose {
  readonly version: 1;
  /** PKCS #8, PEM. Never logged. */
  readonly key: string;
  /** Null until the authority has answered. */
  readonly orderUrl: string | null;
  /** The authority refused `replaces`, and the order was placed without it. */
  readonly droppedReplaces: boolean;
}

/**
 * @returns null when there is none, and when it cannot be read: nothing depends on a key without certificate
 * @throws what the store throws
 */
export async function readOrderState(store: Store, issuerId: string, id: string): Promise<OrderState | null> {
  const stored = await store.get(orderKey(issuerId, id));
  if (stored === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(stored.toString());
  } catch {
    return null;
  }
  return isOrderState(value) ? value : null;
}

/** @throws what the store throws */
export async function writeOrderState(store: Store, issuerId: string, id: string, state: OrderState): Promise<void> {
  await store.put(orderKey(issuerId, id), JSON.stringify(state));
}

/**
 * True when an order for just this was placed and not discarded.
 * @throws what the store throws
 */
export async function isOrderPlaced(
  store: Store,
  issuerId: string,
  id: string,
  wanted: OrderPurpose,
): Promise<boolean> {
  const state = await readOrderState(store, issuerId, id);
  // Without a state there is no URL either.
  return typeof state?.orderUrl === 'string' && isSamePurpose(state, wanted);
}

/**
 * Forgets an order. Call it when the certificate is stored with its key, not before.
 * @throws what the store throws
 */
export async function discardOrder(issuerId: string, id: string, store: Store): Promise<void> {
  await store.delete(orderKey(issuerId, id));
}

/** True when the stored order is for just this. */
export function isSamePurpose(one: OrderPurpose, other: OrderPurpose): boolean {
  return (
    one.keyType === other.keyType &&
    one.profile === other.profile &&
    one.replaces === other.replaces &&
    JSON.stringify(one.names.toSorted()) === JSON.stringify(other.names.toSorted())
  );
}

function orderKey(issuerId: string, id: string): string {
  return `acme/${issuerId}/orders/${id}.json`;
}

function isOrderState(value: unknown): value is OrderState {
  if (typeof value !== 'object' || value === null || !('version' in value) || value.version !== 1) return false;
  const { names, keyType, profile, replaces, key, orderUrl, droppedReplaces } = value as Partial<
    Record<string, unknown>
  >;
  return (
    Array.isArray(names) &&
    names.every((name) => typeof name === 'string') &&
    typeof keyType === 'string' &&
    isTextOrNull(profile) &&
    isTextOrNull(replaces) &&
    typeof key === 'string' &&
    isTextOrNull(orderUrl) &&
    typeof droppedReplaces === 'boolean'
  );
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string';
}
