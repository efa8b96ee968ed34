/**
 * The account at one authority, in the store under `acme/ISSUER/account.json`. Its key is stored before the authority hears of
 * it, so that a crash at any moment leaves an account that can be used: a key that is registered twice gives the same account
 * (RFC 8555 §7.3.1), and a key that was to replace another is kept beside it until the authority has taken it.
 */
import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { Clock } from '../base/clock.ts';
import { PorticoError } from '../base/errors.ts';
import type { Store } from '../store/store.ts';
import { accountKey, decodeAccount, encodeAccount } from './stored-account.ts';
import type { AccountRecord } from './stored-account.ts';

/** What can be done with a key at the authority. */
export interface AccountDesk {
  /**
   * Makes an account for the key, or finds the one that it has.
   * @returns the account's URL
   */
  register(key: string, contact: string | null, signal: AbortSignal): Promise<string>;
  /** @returns the URL of the key's account; null when it has none (RFC 8555 §7.3.1, `onlyReturnExisting`) */
  find(key: string, signal: AbortSignal): Promise<string | null>;
  /** Replaces the contact. */
  changeContact(account: KnownAccount, contact: string | null, signal: AbortSignal): Promise<void>;
  /** Replaces the key (RFC 8555 §7.3.5). */
  changeKey(account: KnownAccount, newKey: string, signal: AbortSignal): Promise<void>;
}

/** An account that the authority knows. */
export interface KnownAccount {
  /** PKCS #8, PEM. Never logged. */
  readonly key: string;
  readonly url: string;
}

/** What an account is opened with. */
export interface AccountOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly issuerId: string;
  readonly directoryUrl: string;
  readonly contact: string | null;
  readonly desk: AccountDesk;
}

const generate = promisify(generateKeyPair);

export class AcmeAccount {
  readonly #options: AccountOptions;
  #record: AccountRecord & { readonly url: string };

  private constructor(options: AccountOptions, record: AccountRecord & { readonly url: string }) {
    this.#options = options;
    this.#record = record;
  }

  /**
   * The stored account, made usable, or a new one.
   * @throws PorticoError `ACME_ACCOUNT_BROKEN`, what the store throws and what the desk throws
   */
  static async open(options: AccountOptions, signal: AbortSignal): Promise<AcmeAccount> {
    const { store, desk, contact } = options;
    let record = await readRecord(options);
    if (record === null) {
      record = await newRecord(options);
      await store.put(accountKey(options.issuerId), encodeAccount(record));
    }
    const settled = await settlePendingKey(options, record, signal);
    const url = settled.url ?? (await desk.register(settled.key, contact, signal));
    const account = new AcmeAccount(options, {
      ...settled,
      url,
      contact: settled.url === null ? contact : settled.contact,
    });
    if (settled.url === null) await account.#save();
    if (account.#record.contact !== contact) {
      await desk.changeContact(account.current, contact, signal);
      account.#record = { ...account.#record, contact };
      await account.#save();
    }
    return account;
  }

  /** The key and URL to sign with now. */
  get current(): KnownAccount {
    return { key: this.#record.key, url: this.#record.url };
  }

  /**
   * Makes a new account in place of one that the authority no longer knows. The old one is kept beside it, as
   * `account-lost-TIME.json`: it may be the right one after all, when the config was wrong for a day.
   */
  async replaceLost(signal: AbortSignal): Promise<void> {
    const { store, clock, issuerId, desk, contact } = this.#options;
    await store.put(`acme/${issuerId}/account-lost-${String(clock.now())}.json`, encodeAccount(this.#record));
    const fresh = await newRecord(this.#options);
    await store.put(accountKey(issuerId), encodeAccount(fresh));
    const url = await desk.register(fresh.key, contact, signal);
    this.#record = { ...fresh, url, contact };
    await this.#save();
  }

  /** Gives the account a new key. No order should be under way: challenges are answered with the key they began with. */
  async rollOver(signal: AbortSignal): Promise<void> {
    const pendingKey = await newKey();
    this.#record = { ...this.#record, pendingKey };
    await this.#save();
    await this.#options.desk.changeKey(this.current, pendingKey, signal);
    this.#record = { ...this.#record, key: pendingKey, pendingKey: null };
    await this.#save();
  }

  async #save(): Promise<void> {
    await this.#options.store.put(accountKey(this.#options.issuerId), encodeAccount(this.#record));
  }
}

/** A roll-over was cut short: the authority is asked which of the two keys it has. */
async function settlePendingKey(
  options: AccountOptions,
  record: AccountRecord,
  signal: AbortSignal,
): Promise<AccountRecord> {
  if (record.pendingKey === null) return record;
  const url = await options.desk.find(record.pendingKey, signal);
  const settled: AccountRecord =
    url === null ? { ...record, pendingKey: null } : { ...record, key: record.pendingKey, pendingKey: null, url };
  await options.store.put(accountKey(options.issuerId), encodeAccount(settled));
  return settled;
}

async function newRecord({ directoryUrl }: AccountOptions): Promise<AccountRecord> {
  return { version: 1, directoryUrl, key: await newKey(), url: null, contact: null, pendingKey: null };
}

async function newKey(): Promise<string> {
  const { privateKey } = await generate('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

async function readRecord({ store, issuerId }: AccountOptions): Promise<AccountRecord | null> {
  const stored = await store.get(accountKey(issuerId));
  if (stored === null) return null;
  const decoded = decodeAccount(stored);
  if (!decoded.ok) throw broken(issuerId, decoded.why);
  return decoded.record;
}

/** Not replaced on our own: a new account has none of the limits and authorizations of the old one. */
function broken(issuerId: string, why: string): PorticoError {
  return new PorticoError('ACME_ACCOUNT_BROKEN', `The ACME account in the store is damaged: ${why}.`, {
    fix: `Restore ${accountKey(issuerId)} in the store from a backup, or remove it: Portico then makes a new account.`,
  });
}
