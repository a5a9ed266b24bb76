// Which commands a person has agreed to run. Agreement is to exactly one launch plan: any change of command,
// arguments, environment, folder or URL changes its hash, and is asked for again with the difference.
import { z } from 'zod';
import { TunnelError } from '../core/errors.ts';
import type { PrivateFiles } from '../core/files.ts';
import type { LaunchPlan } from '../core/server.ts';

/** Agreements kept; the oldest is forgotten, and so asked for again. */
export const maxConsents = 500;

const planSchema = z.object({
  hash: z.string(),
  server: z.string(),
  command: z.string().optional(),
  args: z.array(z.string()).optional(),
  envNames: z.array(z.string()).optional(),
  loads: z.record(z.string(), z.string()).optional(),
  cwd: z.string().optional(),
  url: z.string().optional(),
  headerNames: z.array(z.string()).optional(),
});
const fileSchema = z.object({
  version: z.literal(1),
  consents: z.array(z.object({ id: z.string(), plan: planSchema })),
});

export class Consents {
  readonly #files: PrivateFiles;
  readonly #path: string;

  constructor(files: PrivateFiles, path: string) {
    this.#files = files;
    this.#path = path;
  }

  /** The plan agreed to for this server, if any. */
  async find(serverId: string): Promise<LaunchPlan | undefined> {
    const all = this.#parse(await this.#files.read(this.#path));
    return all.find((consent) => consent.id === serverId)?.plan as LaunchPlan | undefined;
  }

  async give(serverId: string, plan: LaunchPlan): Promise<void> {
    await this.#files.update(this.#path, (old) => {
      const others = this.#parse(old).filter((consent) => consent.id !== serverId);
      const consents = [{ id: serverId, plan }, ...others].slice(0, maxConsents);
      return `${JSON.stringify({ version: 1, consents }, null, 2)}\n`;
    });
  }

  #parse(text: string | undefined): z.infer<typeof fileSchema>['consents'] {
    if (text === undefined) return [];
    try {
      return fileSchema.parse(JSON.parse(text)).consents;
    } catch (cause) {
      throw new TunnelError('CONFIG_INVALID', `${this.#path} cannot be read; delete it to be asked again`, {
        cause,
        data: { file: this.#path },
      });
    }
  }
}
