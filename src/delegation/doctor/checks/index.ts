/** All checks. Each is a pure judgement over the evidence; the order in which they stand here does not matter. */
import type { Check } from '../finding.ts';
import { cdn } from './cdn.ts';
import { certificate } from './certificate.ts';
import { clientBaseUrl } from './client-base-url.ts';
import { clientDocument } from './client-document.ts';
import { complete } from './complete.ts';
import { contentType } from './content-type.ts';
import { federationVersion } from './federation-version.ts';
import { handshake } from './handshake.ts';
import { hostForm } from './host-form.ts';
import { keyDocument } from './key-document.ts';
import { portsAgree } from './ports-agree.ts';
import { reachable } from './reachable.ts';
import { resolutionWarnings } from './resolution-warnings.ts';
import { resolves } from './resolves.ts';
import { serverDocumentAgrees } from './server-document-agrees.ts';
import { serverDocumentAsConfigured } from './server-document-as-configured.ts';
import { serverDocument } from './server-document.ts';
import { splitBrain } from './split-brain.ts';
import { srvAsConfigured } from './srv-as-configured.ts';
import { supportDocument } from './support-document.ts';
import { tlsVersions } from './tls-versions.ts';
import { uri } from './uri.ts';
import { withoutSni } from './without-sni.ts';

/** The list. */
export const CHECKS: readonly Check[] = [
  cdn,
  certificate,
  clientBaseUrl,
  clientDocument,
  complete,
  contentType,
  federationVersion,
  handshake,
  hostForm,
  keyDocument,
  portsAgree,
  reachable,
  resolutionWarnings,
  resolves,
  serverDocument,
  serverDocumentAgrees,
  serverDocumentAsConfigured,
  splitBrain,
  srvAsConfigured,
  supportDocument,
  tlsVersions,
  uri,
  withoutSni,
];
