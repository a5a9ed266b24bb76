// Where a program is, for callers that must name it in full.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** @param {string} program @returns {string} its absolute path */
export function onPath(program) {
  const places = (process.env.PATH ?? '').split(delimiter).map((dir) => join(dir, program));
  const found = places.find(isExecutable);
  if (!found) throw new Error(`${program} is not on PATH`);
  return found;
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // The answer, not a failure.
  }
}
