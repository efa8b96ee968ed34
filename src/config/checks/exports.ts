/** Exports name certificates that exist, and write no file twice nor one that Portico itself reads. */
import { coversName } from '../../base/certificate.ts';
import { errorAt, type Finding } from '../problem.ts';
import { certificateNamesOfSite } from '../site-names.ts';
import { sectionCheck } from './check.ts';

/** A name that no site has never gets a certificate here. */
export const exportNames = sectionCheck(['sites', 'certificates', 'exports'], ({ sites, certificates, exports }) => {
  if (exports.length === 0) return [];
  const served = sites.flatMap((site) => certificateNamesOfSite(site));
  const listed = certificates.filter(({ names }) => served.some((name) => coversName(names, name)));
  const known = [...new Set([...served, ...listed.flatMap(({ names }) => names)])];
  return exports.flatMap(({ name }, index): Finding[] => {
    if (known.includes(name) || coversName(known, name)) return [];
    const message = `no certificate of this config is for ${name}`;
    const fix = `use one of: ${known.slice(0, 20).join(', ')}; or add the name to the hosts of a site`;
    return [errorAt(['exports', index, 'name'], 'CONFIG_EXPORT_NAME', message, fix)];
  });
});

/** Two writers of one file would replace each other's for ever. */
export const exportPaths = sectionCheck(['certificates', 'exports'], ({ certificates, exports }) => {
  const taken = new Map<string, string>();
  for (const [index, entry] of certificates.entries()) {
    if (entry.source !== 'files') continue;
    for (const path of [entry.files.chain, entry.files.key]) {
      taken.set(path, `certificates[${String(index)}] reads it`);
    }
  }
  return exports.flatMap((entry, index) =>
    (['chain', 'key'] as const).flatMap((file): Finding[] => {
      const path = entry[file];
      const by = taken.get(path);
      taken.set(path, by ?? `exports[${String(index)}].${file} writes it`);
      if (by === undefined) return [];
      const message = `${path} cannot be written for this export: ${by}`;
      return [errorAt(['exports', index, file], 'CONFIG_EXPORT_PATH', message, 'give each file a path of its own')];
    }),
  );
});
