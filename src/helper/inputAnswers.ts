// What a person answered to the inputs of configuration files. Kept in memory only: who asked keeps it where secrets are
// kept, and says it again to each helper.
import type { InputAnswer } from '../protocol/control.ts';

/** Files with answers; those answered longest ago are forgotten, and asked for again. */
export const maxAnsweredFiles = 200;

/** A shorter answer to a password is found in every other text; hiding it would hide those. */
const minSecretLength = 4;

export class InputAnswers {
  readonly #files = new Map<string, InputAnswer[]>();

  /** In place of what was answered for this file before. */
  set(file: string, answers: InputAnswer[]): void {
    this.#files.delete(file);
    if (answers.length > 0) this.#files.set(file, answers);
    for (const oldest of this.#files.keys()) {
      if (this.#files.size <= maxAnsweredFiles) return;
      this.#files.delete(oldest);
    }
  }

  /** By id of the input. */
  of(file: string): ReadonlyMap<string, string> {
    return new Map((this.#files.get(file) ?? []).map(({ id, value }) => [id, value]));
  }

  /** What was asked for as a password, to be hidden wherever it turns up. */
  secrets(): string[] {
    return [...this.#files.values()]
      .flat()
      .flatMap(({ value, password }) => (password && value.length >= minSecretLength ? [value] : []));
  }
}
