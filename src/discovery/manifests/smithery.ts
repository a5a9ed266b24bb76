// `smithery.yaml`: its command is the result of a JavaScript function in the file. That is a stranger's program, so it
// is named and never run.
import type { ConfigDocument } from '../configDocument.ts';
import type { ConfigText } from '../configText.ts';
import { Fields } from '../fields.ts';

export function readSmithery(document: ConfigDocument): ConfigText {
  const result: ConfigText = { entries: [], faults: [...document.faults], inputs: new Map() };
  const { root } = document;
  if (root?.type !== 'object') return result;
  const file = new Fields(document, root, '', result.faults);
  const start = file.object('startCommand');
  if (!start && !file.has('runtime')) return result;
  const how = start?.has('commandFunction')
    ? 'its command is computed by JavaScript in this file, which is not run from here; expose it with `-- COMMAND`'
    : 'this file names no command; expose it with `-- COMMAND`';
  const definition = { kind: 'stdio' as const, command: '', args: [], env: [], envFile: undefined, cwd: undefined };
  result.entries.push({
    name: 'smithery',
    line: start ? document.place(start.offset).line : 1,
    definition,
    problems: [how],
  });
  return result;
}
