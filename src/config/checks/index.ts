/** All cross-checks, in the order they run. */
import { challengesPossible, everyNameProvable, issuersComplete, secretsPresent, termsAgreed } from './acme.ts';
import { certificateFiles } from './certificate-files.ts';
import {
  acmeEntriesHaveSection,
  defaultNameHasCertificate,
  everyNameHasSource,
  namesListedOnce,
} from './certificate-sources.ts';
import type { SectionCheck, SiteCheck } from './check.ts';
import { delegatedNameFits, delegationIsPossible } from './delegation.ts';
import { clientDocumentKeys, supportDocument } from './documents.ts';
import { exportNames, exportPaths } from './exports.ts';
import { fallbackDirectory } from './fallback-files.ts';
import { limitsAgree, limitsHighEnough } from './limits.ts';
import { httpsForDocuments, listenersDoNotClash, onlyOnTls, tlsListenerExists } from './listeners.ts';
import { namesClaimedOnce } from './names-claimed.ts';
import { acmeTrust, upstreamTrust } from './trust-files.ts';

/** Rules about one site by itself. */
export const SITE_CHECKS: readonly SiteCheck[] = [
  delegatedNameFits,
  delegationIsPossible,
  clientDocumentKeys,
  supportDocument,
  fallbackDirectory,
  upstreamTrust,
];

/** Rules about whole sections. */
export const CHECKS: readonly SectionCheck[] = [
  namesClaimedOnce,
  onlyOnTls,
  tlsListenerExists,
  httpsForDocuments,
  listenersDoNotClash,
  namesListedOnce,
  everyNameHasSource,
  acmeEntriesHaveSection,
  certificateFiles,
  defaultNameHasCertificate,
  exportNames,
  exportPaths,
  termsAgreed,
  issuersComplete,
  challengesPossible,
  everyNameProvable,
  acmeTrust,
  secretsPresent,
  limitsHighEnough,
  limitsAgree,
];
