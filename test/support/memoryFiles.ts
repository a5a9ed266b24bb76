// PrivateFiles without a disk. Two EdgeStates or Authorities over one of these are two processes over one folder.
import type { PrivateFiles } from '../../src/core/files.ts';

export class MemoryFiles implements PrivateFiles {
  readonly texts = new Map<string, string>();
  #last: Promise<unknown> = Promise.resolve();
  writes = 0;

  async read(path: string): Promise<string | undefined> {
    await Promise.resolve();
    return this.texts.get(path);
  }

  async write(path: string, text: string): Promise<void> {
    await this.update(path, () => text);
  }

  update(path: string, change: (old: string | undefined) => string | Promise<string>): Promise<string> {
    const next = this.#last.then(async () => {
      const old = this.texts.get(path);
      const text = await change(old);
      if (text !== old) this.writes += 1;
      this.texts.set(path, text);
      return text;
    });
    this.#last = next.catch(() => {});
    return next;
  }
}
