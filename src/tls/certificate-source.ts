import type { CertificateData } from '../base/certificate.ts';

/**
 * Where certificates come from: files, the local CA, ACME.
 *
 * `certificateFor` is a four-way contract, so that a caller can write its loop without reading any implementation:
 * a value means "mine, and usable now"; `'pending'` means "mine, but there is none yet: leave the name out and ask again after
 * `onChange`"; `null` means "not mine, ask the next source"; a thrown `PorticoError` means "mine, but broken" and must not be
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
  /** Releases timers and watchers. */
  close(): void;
}
