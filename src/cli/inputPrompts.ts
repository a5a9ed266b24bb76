// What a server's file leaves to its user, asked on the terminal: one question each, passwords unseen. Loaded when the
// first server asks.
import type { Readable, Writable } from 'node:stream';
import { isCancel, password, select, text } from '@clack/prompts';
import { isSecretAnswer } from '../core/secretAnswer.ts';
import type { ServerInput } from '../core/server.ts';
import type { InputAnswer } from '../protocol/control.ts';
import { plainLine } from './plainText.ts';

export type Asking = { input: Readable; output: Writable; signal: AbortSignal };

/** `undefined`: the developer left. */
export async function askInputs(inputs: readonly ServerInput[], asking: Asking): Promise<InputAnswer[] | undefined> {
  const answers: InputAnswer[] = [];
  for (const input of inputs) {
    const value = await askInput(input, asking);
    if (value === undefined) return undefined;
    answers.push({ id: input.id, value, ...(isSecretAnswer(input, value) ? { password: true } : {}) });
  }
  return answers;
}

async function askInput(input: ServerInput, asking: Asking): Promise<string | undefined> {
  const message = plainLine(input.description ?? input.id);
  const preset = input.default;
  const answer = input.options
    ? await select({
        ...asking,
        message,
        options: input.options.map(({ label, value }) => ({ value, label: plainLine(label) })),
        ...(preset === undefined ? {} : { initialValue: preset }),
      })
    : input.password
      ? await password({ ...asking, message })
      : await text({ ...asking, message, ...(preset === undefined ? {} : { initialValue: preset }) });
  return isCancel(answer) ? undefined : (answer ?? '');
}
