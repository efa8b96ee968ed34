/** The directory of `fallback.files` is there. */
import { fileTrouble } from '../file-reader.ts';
import { errorAt } from '../problem.ts';
import type { SiteCheck } from './check.ts';

/** A missing directory would answer 404 to everything, without a word. */
export const fallbackDirectory: SiteCheck = async (site, path, { files }) => {
  if (site.fallback.kind !== 'files') return [];
  const { directory } = site.fallback;
  const refused = (trouble: string) => [
    errorAt(
      [...path, 'fallback', 'files'],
      'CONFIG_FILES_DIRECTORY',
      `the directory ${directory} ${trouble}`,
      'correct the path (relative paths start at the config file), or make the directory',
    ),
  ];
  try {
    return (await files.facts(directory)).isDirectory ? [] : refused('is not a directory');
  } catch (error) {
    return refused(fileTrouble(error));
  }
};
