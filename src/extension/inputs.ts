// Answers to what configuration files ask a person for: asked once, kept in the system's secret storage, one key for each
// file, and told to each helper. `index` says for which files there are answers; it holds none.
import { createHash } from 'node:crypto';
import type { DiscoveredServer } from '../core/server.ts';
import type { InputAnswer } from '../protocol/control.ts';
import type { HelperLink } from './helperLink.ts';
import type { Memory } from './rememberedTunnels.ts';
import type { Secrets } from './tokens.ts';

/** Files whose answers are kept; of more the oldest are forgotten. */
export const maxAnsweredFiles = 200;

const indexKey = 'mcpTunnel.inputFiles';
const secretKey = (file: string): string => `inputs/${createHash('sha256').update(file).digest('hex')}`;

export type InputsOptions = { secrets: Secrets; index: Memory; helper: Pick<HelperLink, 'request'> };

export class Inputs {
  readonly #options: InputsOptions;

  constructor(options: InputsOptions) {
    this.#options = options;
  }

  /** Beside what was answered for the server's file before. */
  async keep({ source }: DiscoveredServer, answers: readonly InputAnswer[]): Promise<void> {
    const file = source.file ?? '';
    const others = (await this.#read(file)).filter(({ id }) => !answers.some((answer) => answer.id === id));
    await this.#options.secrets.store(secretKey(file), JSON.stringify([...others, ...answers]));
    const files = [...this.#files.filter((other) => other !== file), file];
    await this.#forget(files.slice(0, -maxAnsweredFiles));
    await this.#options.index.update(indexKey, files.slice(-maxAnsweredFiles));
    await this.#tell(file);
  }

  /** All that was answered for the server's file. */
  async forget({ source }: DiscoveredServer): Promise<void> {
    const file = source.file ?? '';
    await this.#forget([file]);
    await this.#options.index.update(
      indexKey,
      this.#files.filter((other) => other !== file),
    );
    await this.#tell(file);
  }

  /** To a helper that has just started. */
  async tellAll(): Promise<void> {
    for (const file of this.#files) await this.#tell(file);
  }

  async #tell(file: string): Promise<void> {
    await this.#options.helper.request('servers/answer', { file, answers: await this.#read(file) });
  }

  async #forget(files: readonly string[]): Promise<void> {
    for (const file of files) await this.#options.secrets.delete(secretKey(file));
  }

  async #read(file: string): Promise<InputAnswer[]> {
    const text = await this.#options.secrets.get(secretKey(file));
    try {
      return text === undefined ? [] : (JSON.parse(text) as InputAnswer[]);
    } catch {
      return []; // Not what was written here: it is asked for again.
    }
  }

  get #files(): string[] {
    return (this.#options.index.get(indexKey) as string[] | undefined) ?? [];
  }
}
