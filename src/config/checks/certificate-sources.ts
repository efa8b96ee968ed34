/** Every name that peers or clients will ask for has exactly one certificate source. */
import { coversName } from '../../base/certificate.ts';
import { errorAt, type Finding } from '../problem.ts';
import { certificateNamesOfSite, defaultTlsName } from '../site-names.ts';
import { sectionCheck } from './check.ts';

/** A name without a source would be refused in the handshake, and nobody would know why. */
export const everyNameHasSource = sectionCheck(['sites', 'certificates', 'acme'], ({ sites, certificates, acme }) => {
  if (acme !== undefined) return [];
  const listed = certificates.flatMap((entry) => entry.names);
  return sites.flatMap((site, index): Finding[] => {
    const names = certificateNamesOfSite(site).filter((name) => !coversName(listed, name));
    if (names.length === 0) return [];
    const entry = `{names: [${names.map((name) => (/[:*]/.test(name) ? `"${name}"` : name)).join(', ')}]`;
    const message = `no certificate source for ${list(names)}`;
    const fix = `three ways: a section acme: {agree_to_terms: true} for certificates from Let's Encrypt; or under certificates ${entry}, files: {chain: fullchain.pem, key: privkey.pem}}; or for tests ${entry}, local_ca: true}`;
    return [errorAt(['sites', index, 'server_name'], 'CONFIG_NO_CERTIFICATE', message, fix)];
  });
});

/** `acme: true` says which names share a certificate; how it is obtained stands in the section `acme`. */
export const acmeEntriesHaveSection = sectionCheck(['certificates', 'acme'], ({ certificates, acme }) =>
  certificates.flatMap((entry, index): Finding[] => {
    if (acme !== undefined || entry.source !== 'acme') return [];
    const message = `the certificate for ${list(entry.names)} is to come from ACME, but there is no section acme`;
    const fix = 'add acme: {agree_to_terms: true}, or use files or local_ca: true';
    return [errorAt(['certificates', index, 'acme'], 'CONFIG_NO_CERTIFICATE', message, fix)];
  }),
);

/** The same name in two entries leaves open which certificate is served. */
export const namesListedOnce = sectionCheck(['certificates'], ({ certificates }) => {
  const seen = new Set<string>();
  return certificates.flatMap((entry, index) =>
    entry.names.flatMap((name, position) => {
      const again = seen.has(name);
      seen.add(name);
      if (!again) return [];
      const path = ['certificates', index, 'names', position];
      return [errorAt(path, 'CONFIG_CERTIFICATE_LISTED_TWICE', `${name} is listed already`, 'keep it in one entry')];
    }),
  );
});

/** Clients without SNI get the certificate of `tls.default_name`: there must be one. */
export const defaultNameHasCertificate = sectionCheck(
  ['tls', 'sites', 'certificates', 'acme'],
  ({ tls, sites, certificates, acme }) => {
    if (tls.default_name === undefined) return [];
    const listed = certificates.flatMap((entry) => entry.names);
    const needed = sites.flatMap(certificateNamesOfSite);
    const known = acme === undefined ? listed : [...listed, ...needed];
    if (coversName(known, tls.default_name)) return [];
    const message = `no certificate of this config is for ${tls.default_name}`;
    const usual = defaultTlsName({ tls: { ...tls, default_name: undefined }, sites });
    const fix = `use one of ${[...new Set([...needed, ...listed])].slice(0, 10).join(', ')}, or remove default_name (then it is ${usual})`;
    return [errorAt(['tls', 'default_name'], 'CONFIG_DEFAULT_NAME', message, fix)];
  },
);

function list(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;
}
