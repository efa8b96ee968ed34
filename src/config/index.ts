/** The public face of the config: other rooms import from here. */
export { findConfigPath } from './find.ts';
export { configJsonSchema } from './json-schema.ts';
export { loadConfig, type LoadResult } from './load.ts';
export { formatProblem, type Problem } from './problem.ts';
export type { Config } from './schema.ts';
export type { Fallback } from './sections/fallback.ts';
export type { Site } from './sections/sites.ts';
export { certificateNamesOfSite, clientBaseUrl, defaultTlsName, hostsOfSite } from './site-names.ts';
export type { UpstreamUrl } from './values/url.ts';
