// Variables in a server's definition, replaced as the file's own client replaces them, in one pass: what a variable
// gave is never looked at again. What cannot be known without asking stays in the text and is named.

import type { ServerInput } from '../core/server.ts';

/**
 * `vscode`: `${env:X}`, `${input:id}` …; `shell` (Claude Code, Copilot): `${X}`, `${X:-default}`; `cursor`: `${env:X}`,
 * `${userHome}` …; `environment` (Windsurf, Roo): `${env:X}` alone; `gemini`: `$X`, `${X}`; `opencode`: `{env:X}`,
 * `{file:path}`; `continue`: `${{ secrets.X }}`; `manifest`: `${__dirname}`,
 * `${user_config.x}`, `${HOME}` …; `none`: text is text.
 */
export type VariableFamily =
  | 'vscode'
  | 'shell'
  | 'cursor'
  | 'environment'
  | 'gemini'
  | 'opencode'
  | 'continue'
  | 'manifest'
  | 'none';

export type VariableValues = {
  /** The file that the text stands in. */
  file: string;
  /** The workspace folder the file stands in, and all folders of the window. */
  folder: string;
  folders: readonly string[];
  home: string;
  env: Record<string, string | undefined>;
  pathSeparator: string;
  /** Inputs the file declares, by id. */
  inputs: ReadonlyMap<string, ServerInput>;
  /** What a person answered to them, by id. */
  answers: ReadonlyMap<string, string>;
};

/** Longest text a definition may grow to; a longer one is refused, so that no file can blow up the memory. */
export const maxResolvedLength = 64 * 1024;

/** `needs`: inputs that nobody has answered; their variables are still in the text. `answered`: there are others. */
export type Resolved = { text: string; problems: string[]; needs?: ServerInput[]; answered?: true };

/** A value, or why there is none. */
type Lookup = { value: string; answered?: true } | { problem: string } | { needs: ServerInput };

export function resolveVariables(text: string, family: VariableFamily, values: VariableValues): Resolved {
  const problems: string[] = [];
  const needs: ServerInput[] = [];
  let answered = false;
  let resolved = '';
  let from = 0;
  const { pattern, lookUp } = FAMILIES[family];
  for (const match of pattern ? text.matchAll(pattern) : []) {
    const found = lookUp(match[1] ?? match[2] ?? '', values);
    if ('problem' in found) problems.push(found.problem);
    if ('needs' in found) needs.push(found.needs);
    if ('answered' in found) answered = true;
    resolved += text.slice(from, match.index) + ('value' in found ? found.value : match[0]);
    from = match.index + match[0].length;
    if (resolved.length > maxResolvedLength) break;
  }
  resolved += text.slice(from);
  if (resolved.length <= maxResolvedLength)
    return { text: resolved, problems, ...(needs.length > 0 ? { needs } : {}), ...(answered ? { answered } : {}) };
  return {
    text: '',
    problems: [`a value is longer than ${maxResolvedLength / 1024} KiB once its variables are filled in`],
  };
}

const BRACES = /\$\{([^${}]*)\}/g;

/** What a variable looks like, its expression in the first group that took part; and what it stands for. */
const FAMILIES: Record<
  VariableFamily,
  { pattern: RegExp | undefined; lookUp: (expression: string, values: VariableValues) => Lookup }
> = {
  vscode: { pattern: BRACES, lookUp: lookUpVscode },
  shell: { pattern: BRACES, lookUp: lookUpShell },
  cursor: { pattern: BRACES, lookUp: lookUpCursor },
  environment: { pattern: /\$\{env:([^${}]*)\}/g, lookUp: lookUpEnv },
  gemini: {
    pattern: /\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))/g,
    lookUp: (name, values) => ({ value: fromEnv(name, values) ?? '' }), // Gemini CLI makes an unset variable empty.
  },
  opencode: { pattern: /\{((?:env|file):[^{}]*)\}/g, lookUp: lookUpOpencode },
  continue: { pattern: /\$\{\{([^{}]*)\}\}/g, lookUp: lookUpContinue },
  manifest: { pattern: BRACES, lookUp: lookUpManifest },
  none: { pattern: undefined, lookUp: unknown },
};

function lookUpOpencode(expression: string, values: VariableValues): Lookup {
  const { name, argument = '' } = split(expression);
  if (name === 'env') return { value: fromEnv(argument, values) ?? '' }; // OpenCode makes an unset variable empty.
  return { problem: `takes a value from the file “${argument.slice(0, 80)}”, which is not read from here` };
}

function lookUpManifest(expression: string, values: VariableValues): Lookup {
  const wanted = /^user_config\.(.+)$/.exec(expression)?.[1];
  if (wanted !== undefined) return lookUpInput(wanted, values);
  if (expression === '__dirname') return { value: dirName(values) };
  if (expression === '/' || expression === 'pathSeparator') return { value: values.pathSeparator };
  if (expression === 'HOME') return { value: values.home };
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(expression) ? lookUpEnv(expression, values) : unknown(expression);
}

function dirName({ file, pathSeparator }: VariableValues): string {
  return file.slice(0, Math.max(0, file.lastIndexOf(pathSeparator)));
}

function lookUpContinue(expression: string, values: VariableValues): Lookup {
  const name = /^\s*secrets\.([A-Za-z_][A-Za-z0-9_]*)\s*$/.exec(expression)?.[1];
  if (name === undefined) return { problem: `the variable \${{${expression.slice(0, 80)}}} is not known` };
  const value = fromEnv(name, values);
  return value === undefined ? { problem: `needs the secret “${name}” of Continue` } : { value };
}

function lookUpVscode(expression: string, values: VariableValues): Lookup {
  const { name, argument } = split(expression);
  if (argument === undefined) return lookUpPlace(name, values);
  switch (name) {
    case 'env':
      return { value: fromEnv(argument, values) ?? '' }; // VS Code makes an unset variable empty.
    case 'workspaceFolder':
      return lookUpFolder(argument, values);
    case 'input':
      return lookUpInput(argument, values);
    case 'command':
      return { problem: `needs the result of the command “${argument}”, which is never run from here` };
    case 'config':
      return { problem: `needs the setting “${argument}”` };
    default:
      return unknown(expression);
  }
}

function lookUpInput(id: string, { inputs, answers }: VariableValues): Lookup {
  const answer = answers.get(id);
  const input = inputs.get(id);
  if (input === undefined) return { problem: `needs input “${id.slice(0, 80)}”, which the file does not define` };
  return answer === undefined ? { needs: input } : { value: answer, answered: true };
}

function lookUpCursor(expression: string, values: VariableValues): Lookup {
  const { name, argument } = split(expression);
  if (argument === undefined) return lookUpPlace(name, values);
  return name === 'env' ? lookUpEnv(argument, values) : unknown(expression);
}

function lookUpShell(expression: string, values: VariableValues): Lookup {
  const match = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(expression);
  if (!match?.[1]) return unknown(expression);
  // Set but empty wins over the default; the default is taken as it stands.
  const value = fromEnv(match[1], values) ?? match[2];
  return value === undefined ? lookUpEnv(match[1], values) : { value };
}

function lookUpEnv(name: string, values: VariableValues): Lookup {
  const value = fromEnv(name, values);
  return value === undefined ? { problem: `needs the environment variable ${name}` } : { value };
}

/** Not what every object has: `toString` is no variable. */
export function fromEnv(name: string, { env }: VariableValues): string | undefined {
  return Object.hasOwn(env, name) ? env[name] : undefined;
}

function lookUpPlace(name: string, values: VariableValues): Lookup {
  switch (name) {
    case 'workspaceFolder':
      return { value: values.folder };
    case 'workspaceFolderBasename':
      return { value: baseName(values.folder) };
    case 'userHome':
      return { value: values.home };
    case 'pathSeparator':
    case '/':
      return { value: values.pathSeparator };
    default:
      return unknown(name);
  }
}

function lookUpFolder(name: string, { folders }: VariableValues): Lookup {
  const found = folders.filter((folder) => baseName(folder) === name);
  if (found.length > 1) return { problem: `there are ${found.length} workspace folders named “${name}”` };
  return found[0] === undefined ? { problem: `there is no workspace folder named “${name}”` } : { value: found[0] };
}

function unknown(expression: string): Lookup {
  return { problem: `the variable \${${expression.slice(0, 80)}} is not known` };
}

function split(expression: string): { name: string; argument: string | undefined } {
  const colon = expression.indexOf(':');
  if (colon < 0) return { name: expression, argument: undefined };
  return { name: expression.slice(0, colon), argument: expression.slice(colon + 1) };
}

function baseName(folder: string): string {
  return folder.split(/[\\/]/).findLast((part) => part !== '') ?? '';
}
