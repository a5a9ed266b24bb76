// `mcp-tunnel edge config`: is a file of settings right, and what may be in one.
import { resolve } from 'node:path';
import { TunnelError } from '../core/errors.ts';
import { edgeConfigSchema } from '../edge/edgeConfig.ts';
import type { CommandContext } from './command.ts';
import { readEdgeConfig } from './edgePlan.ts';

export type EdgeConfigOptions = { check?: string; schema?: boolean };

/** Throws `CONFIG_INVALID` for a file that is wrong. */
export async function edgeConfig({ output, folder }: CommandContext, options: EdgeConfigOptions): Promise<void> {
  const { check, schema } = options;
  if (check === undefined && schema !== true) throw new TunnelError('USAGE', 'say --check FILE or --schema');
  if (schema) {
    const text = edgeConfigSchema();
    output.event({ event: 'schema', schema: text });
    output.line(JSON.stringify(text, null, 2));
  }
  if (check === undefined) return;
  await readEdgeConfig(resolve(folder, check));
  output.event({ event: 'valid', file: check });
  output.line(`${check} is right.`);
}
