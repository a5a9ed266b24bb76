// Which hostnames an enrolment token lets its connector claim: globs over one label, where `*` is any run of characters.
import { labelProblem } from '../core/hostname.ts';
import { TunnelError } from '../core/errors.ts';

/** More globs than anybody needs, few enough to look at all of them for each claim. */
export const maxScopeGlobs = 64;

/** Throws `USAGE` for globs that could never match a label. */
export function checkScope(globs: readonly string[]): void {
  if (globs.length === 0) throw new TunnelError('USAGE', 'a token needs at least one label, or none named for any');
  if (globs.length > maxScopeGlobs) throw new TunnelError('USAGE', `a token names at most ${maxScopeGlobs} labels`);
  for (const glob of globs) {
    const problem = labelProblem(glob.replaceAll('*', 'a'));
    if (problem) throw new TunnelError('USAGE', `“${glob.slice(0, 80)}” is not a label or a glob over one: ${problem}`);
  }
}

/** No globs: any label. */
export function isInScope(globs: readonly string[] | undefined, label: string): boolean {
  return globs === undefined || globs.some((glob) => matches(glob, label));
}

// Not a regular expression: many stars would make one slow.
function matches(glob: string, label: string): boolean {
  const [head = '', ...rest] = glob.split('*');
  const tail = rest.pop();
  if (tail === undefined) return glob === label;
  if (!label.startsWith(head) || !label.endsWith(tail) || label.length < head.length + tail.length) return false;
  let from = head.length;
  const end = label.length - tail.length;
  for (const part of rest) {
    const at = label.indexOf(part, from);
    if (at < 0 || at + part.length > end) return false;
    from = at + part.length;
  }
  return true;
}
