// Where the host of the tests lives: under `.vscode-test/` of this repository, which git ignores.
// Found by walking up to package.json, so that a bundled copy of these scripts finds the same folder.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The repository's root. */
export const repoRoot = ancestorWith('package.json', import.meta.dirname);

/** Everything the host leaves on disk: installed hosts, locks, screenshots, evidence of failures. */
export const hostHome = join(repoRoot, '.vscode-test');

/**
 * @param {string} name
 * @param {string} from
 * @returns {string}
 */
function ancestorWith(name, from) {
  if (existsSync(join(from, name))) return from;
  const parent = dirname(from);
  if (parent === from) throw new Error(`no ${name} above ${import.meta.dirname}`);
  return ancestorWith(name, parent);
}
