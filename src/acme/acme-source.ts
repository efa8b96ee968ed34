/** Certificates that the manager looks after. */
import type { CertificateData } from '../base/certificate.ts';
import type { CertificateSource } from '../tls/certificate-source.ts';
import type { AcmeManager } from './manager.ts';

/** A view of the manager; closing it leaves the manager at work, because a reload makes a new view of the same. */
export class AcmeSource implements CertificateSource {
  readonly kind = 'acme';
  readonly #manager: AcmeManager;
  readonly #endings: (() => void)[] = [];

  constructor(manager: AcmeManager) {
    this.#manager = manager;
  }

  // The manager answers from memory; the contract leaves room for sources that do not.
  // eslint-disable-next-line @typescript-eslint/require-await
  async certificateFor(name: string): Promise<CertificateData | 'pending' | null> {
    return this.#manager.certificateFor(name);
  }

  onChange(listener: () => void): void {
    this.#endings.push(this.#manager.onChange(listener));
  }

  close(): void {
    for (const end of this.#endings) end();
  }
}
