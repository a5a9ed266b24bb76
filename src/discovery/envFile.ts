// The lines of an environment file (`NAME=value`): comments, `export`, and single or double quotes, as the common
// dotenv dialect has them. A line that is none of these is skipped, as every client does.

/** Variables taken from one file; more are ignored. */
export const maxEnvFileEntries = 1000;

export function parseEnvFile(text: string): [string, string][] {
  const entries = new Map<string, string>();
  for (const line of text.split(/\r\n|\n|\r/)) {
    const match = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=\s*(.*)$/.exec(line);
    if (!match?.[1]) continue;
    if (!entries.has(match[1]) && entries.size >= maxEnvFileEntries) break;
    entries.set(match[1], unquote(match[2] ?? ''));
  }
  return [...entries];
}

function unquote(value: string): string {
  const quoted = /^(["'`])(.*?)(?<!\\)\1\s*(?:#.*)?$/.exec(value);
  if (!quoted) return value.replace(/(^|\s)#.*$/, '').trim();
  const inner = quoted[2] ?? '';
  if (quoted[1] !== '"') return inner;
  return inner.replace(/\\([nrt"\\])/g, (_, escape: string) => ESCAPES[escape] ?? escape);
}

const ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\' };
