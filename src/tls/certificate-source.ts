import type { CertificateData } from '../base/certificate.ts';

/**
 * Where certificates come from: files, the local CA, ACME.
 *
 * `certificateFor` is a four-way contract, so that a caller can write its loop without reading any implementation:
 * a value means "mine, and the best there is" (usable now, or expired while it was in use); `'pending'` means "mine, but there
 * is none yet: leave the name out and ask again after `onChange`"; `null` means "not mine, ask the next source"; a thrown `PorticoError` means "mine, but broken" and must not be
 * papered over with another source's certificate.
 */
export interface CertificateSource {
  readonly kind: CertificateData['source'];
  /** @param name - a DNS name in lower case without a trailing dot, or an IP literal without brackets */
  certificateFor(name: string): Promise<CertificateData | 'pending' | null>;
  /**
   * Calls back whenever a certificate that was handed out has a successor (renewed, or its files changed), or one that was
   * pending has come. The callback must not throw; it is never called after `close`.
   */
  onChange(listener: () => void): void;
  /**
   * Gets a new certificate for a name now, however good the old one is, and calls the listeners once it is there. Left out:
   * others renew what comes from here.
   * @returns false when the name is not this source's
   * @throws PorticoError why it could not be done
   */
  renew?(name: string): Promise<boolean>;
  /** Releases timers and watchers. */
  close(): void;
}
