// Commands that a person wrote in place of our guess at how a project is started. Remembered on this machine, by the
// server's id; what a file declares is never replaced.
import { z } from 'zod';
import { TunnelError } from '../core/errors.ts';
import type { PrivateFiles } from '../core/files.ts';
import type { DiscoveredServer } from '../core/server.ts';

/** Kept at most; the oldest is forgotten, and the guess counts again. */
export const maxEditedCommands = 500;

const schema = z.object({
  version: z.literal(1),
  commands: z.array(z.object({ id: z.string(), command: z.string(), args: z.array(z.string()) })),
});

type EditedCommand = z.infer<typeof schema>['commands'][number];

export class EditedCommands {
  readonly #files: PrivateFiles;
  readonly #path: string;

  constructor(files: PrivateFiles, path: string) {
    this.#files = files;
    this.#path = path;
  }

  /** The servers, with what was written in place of guesses. Throws `CONFIG_INVALID`. */
  async applyTo(servers: readonly DiscoveredServer[]): Promise<DiscoveredServer[]> {
    const edited = new Map(this.#parse(await this.#files.read(this.#path)).map((one) => [one.id, one]));
    return servers.map((server) => {
      const mine = server.guess ? edited.get(server.id) : undefined;
      return mine && server.transport.kind === 'stdio' ? withCommand(server, server.transport, mine) : server;
    });
  }

  /** No command: the guess counts again. */
  async set(id: string, command: { command: string; args: string[] } | undefined): Promise<void> {
    await this.#files.update(this.#path, (old) => {
      const others = this.#parse(old).filter((one) => one.id !== id);
      const commands = [...(command ? [{ id, ...command }] : []), ...others].slice(0, maxEditedCommands);
      return `${JSON.stringify({ version: 1, commands }, null, 2)}\n`;
    });
  }

  #parse(text: string | undefined): EditedCommand[] {
    if (text === undefined) return [];
    try {
      return schema.parse(JSON.parse(text)).commands;
    } catch (cause) {
      throw new TunnelError('CONFIG_INVALID', `${this.#path} cannot be read; delete it, and guesses count again`, {
        cause,
        data: { file: this.#path },
      });
    }
  }
}

function withCommand(
  { problem: _guessed, ...server }: DiscoveredServer,
  transport: Extract<DiscoveredServer['transport'], { kind: 'stdio' }>,
  { command, args }: EditedCommand,
): DiscoveredServer {
  return {
    ...server,
    transport: { ...transport, command, args },
    guess: { reason: 'you wrote this command', confidence: 'high', edited: true },
  };
}
