// What an edge was last run as, kept beside its data, so that the other verbs work while it does not run and a
// second start needs no options.
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { TunnelError } from '../core/errors.ts';
import type { PrivateFiles } from '../core/files.ts';
import type { CommandContext } from './command.ts';
import type { RegistrySettings } from './edgeRegistry.ts';

const schema = z.strictObject({
  version: z.literal(1),
  domain: z.string(),
  port: z.number().int(),
  /** Where it keeps what it remembers, if not here. */
  registry: z
    .strictObject({ servers: z.array(z.string()), creds: z.string().optional(), ca: z.string().optional() })
    .optional(),
});

export type EdgeSettings = { domain: string; port: number; registry?: RegistrySettings | undefined };

export function edgeDataFolder({ folder, paths }: CommandContext, data: string | undefined): string {
  return data === undefined ? paths.edgeData : resolve(folder, data);
}

/** The option as another command on the same data takes it; empty for the usual folder. */
export function dataOption(data: string | undefined): string {
  if (data === undefined) return '';
  return ` --data ${/^[\w./~@:+-]+$/.test(data) ? data : JSON.stringify(data)}`;
}

/** `undefined` where no edge was run yet. Throws `CONFIG_INVALID`. */
export async function readEdgeSettings(files: PrivateFiles, folder: string): Promise<EdgeSettings | undefined> {
  const path = join(folder, 'settings.json');
  const text = await files.read(path);
  if (text === undefined) return undefined;
  try {
    const { domain, port, registry } = schema.parse(JSON.parse(text));
    return { domain, port, ...(registry ? { registry: registry as RegistrySettings } : {}) };
  } catch (cause) {
    const message = `${path} cannot be read; delete it and start the edge with --domain and --listen`;
    throw new TunnelError('CONFIG_INVALID', message, { cause, data: { file: path } });
  }
}

export async function writeEdgeSettings(files: PrivateFiles, folder: string, settings: EdgeSettings): Promise<void> {
  await files.write(join(folder, 'settings.json'), `${JSON.stringify({ version: 1, ...settings })}\n`);
}
