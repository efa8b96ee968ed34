/**
 * What a cross-check is: a rule about several keys, or about the world outside the file. A check looks only at sections
 * that were read without errors, so that one mistake is reported once.
 */
import type { FileReader } from '../file-reader.ts';
import type { Finding } from '../problem.ts';
import type { Config, SectionName } from '../schema.ts';
import type { Site } from '../sections/sites.ts';

/** What checks may ask of the outside. */
export interface CheckWorld {
  readonly files: FileReader;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** A rule about whole sections. */
export interface SectionCheck<Name extends SectionName = SectionName> {
  /** Sections that must be free of errors. */
  readonly reads: readonly Name[];
  run(config: Pick<Config, Name>, world: CheckWorld): readonly Finding[] | Promise<readonly Finding[]>;
}

/** A rule about one site by itself; `path` is the site's place in the file. */
export type SiteCheck = (
  site: Site,
  path: readonly (string | number)[],
  world: CheckWorld,
) => readonly Finding[] | Promise<readonly Finding[]>;

/** Gives a section check its type from the sections it reads. */
export function sectionCheck<const Name extends SectionName>(
  reads: readonly Name[],
  run: SectionCheck<Name>['run'],
): SectionCheck {
  return { reads, run: run };
}
