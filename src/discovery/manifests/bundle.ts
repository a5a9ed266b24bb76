// `manifest.json` of an MCP bundle (MCPB, once DXT): the command stands in `server.mcp_config`. Many other tools have a
// file of that name; one without such a part is none of ours.
import type { ServerInput } from '../../core/server.ts';
import type { ConfigDocument, Fault } from '../configDocument.ts';
import type { ConfigText } from '../configText.ts';
import { Fields } from '../fields.ts';
import { maxInputsPerFile } from '../readServers.ts';

export function readBundle(document: ConfigDocument): ConfigText {
  const faults: Fault[] = [];
  const nothing: ConfigText = { entries: [], faults: [], inputs: new Map() };
  const { root } = document;
  if (root?.type !== 'object') return nothing;
  const file = new Fields(document, root, '', faults);
  const config = file.object('server')?.object('mcp_config');
  if (!config || document.isDamaged(root)) return nothing;

  const name = file.text('display_name') ?? file.text('name');
  const command = config.text('command');
  if (!name || !command) {
    faults.push({ line: 1, column: 1, message: `${config.path} has no ${name ? 'command' : 'name beside it'}` });
    return { ...nothing, faults };
  }
  const definition = {
    kind: 'stdio' as const,
    command,
    args: config.texts('args'),
    env: config.record('env', false),
    envFile: undefined,
    cwd: undefined,
  };
  if (faults.length > 0) return { ...nothing, faults };
  return {
    ...nothing,
    inputs: userConfig(file),
    entries: [{ name: name.slice(0, 200), line: document.place(config.offset).line, definition, problems: [] }],
  };
}

/** What the bundle asks its user for (`user_config`); a value of several texts is not asked for. */
function userConfig(file: Fields): Map<string, ServerInput> {
  const inputs = new Map<string, ServerInput>();
  for (const [id, setting] of file.members('user_config')) {
    if (setting.boolean('multiple') === true || inputs.size >= maxInputsPerFile) continue;
    const description = setting.text('description') ?? setting.text('title');
    const preset = setting.text('default');
    inputs.set(id, {
      id,
      ...(description === undefined ? {} : { description }),
      ...(preset === undefined ? {} : { default: preset }),
      ...(setting.boolean('sensitive') === true ? { password: true } : {}),
    });
  }
  return inputs;
}
