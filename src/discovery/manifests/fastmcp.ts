// `fastmcp.json`: FastMCP's own description of a server. `fastmcp run FILE` runs it, over stdio whatever it says, since
// that is how it is spoken to from here.
import type { ConfigDocument, Fault } from '../configDocument.ts';
import type { ConfigText } from '../configText.ts';
import { Fields } from '../fields.ts';

export function readFastmcp(document: ConfigDocument, file: string): ConfigText {
  const nothing: ConfigText = { entries: [], faults: [...document.faults], inputs: new Map() };
  const { root } = document;
  if (root?.type !== 'object' || document.isDamaged(root)) return nothing;
  const faults: Fault[] = [];
  const source = new Fields(document, root, '', faults).object('source');
  const path = source?.text('path');
  if (!source || !path) {
    return {
      ...nothing,
      faults: [...nothing.faults, ...faults, { line: 1, column: 1, message: 'source.path is missing' }],
    };
  }
  const base = path.split(/[\\/]/).at(-1) ?? path;
  const definition = {
    kind: 'stdio' as const,
    command: 'fastmcp',
    args: ['run', file, '--transport', 'stdio'],
    env: [],
    envFile: undefined,
    cwd: undefined,
  };
  const name = base.replace(/\.py$/, '').slice(0, 200) || 'fastmcp';
  return { ...nothing, entries: [{ name, line: document.place(source.offset).line, definition, problems: [] }] };
}
