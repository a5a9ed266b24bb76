// What a modern server wants to know before it can go on (`input_required`), asked of a legacy agent as the requests it
// knows: sampling, elicitation, roots. The answers go back together with the call, which is sent again as a new request.
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import { memberText, memberTexts, objectText, withMembers } from '../../mcp/jsonEdit.ts';
import { messageText } from './modernConversation.ts';
import type { Spoken } from './spoken.ts';

export const inputLimits = {
  /** Rounds of one call; a server that asks on and on has its call failed. */
  maxRounds: 10,
  /** Questions in one round; more fail the call. */
  maxQuestions: 32,
  /** How long an agent may take for the answers of one round: people answer them. */
  answerMs: 10 * 60_000,
  /** Between two rounds without a question. */
  pauseMs: 250,
};

/** Why a call cannot go on, in a sentence for the agent. */
export class InputFailure extends Error {}

export class InputRounds {
  readonly #write: (text: string) => void;
  readonly #clock: Clock;
  readonly #waiting = new Map<string, (spoken: Spoken) => void>();
  #asked = 0;

  constructor(write: (text: string) => void, clock: Clock) {
    this.#write = write;
    this.#clock = clock;
  }

  /** The agent's answer to one of ours; whether it was that. */
  answered(spoken: Spoken): boolean {
    const { id } = spoken.message;
    const resolve = typeof id === 'string' ? this.#waiting.get(id) : undefined;
    if (!resolve || typeof id !== 'string') return false;
    this.#waiting.delete(id);
    resolve(spoken);
    return true;
  }

  /** `inputResponses` for `inputRequests`, both as JSON text. Throws {@link InputFailure}, or the signal's reason. */
  async ask(inputRequests: string, capabilities: JsonObject, signal: AbortSignal): Promise<string> {
    const questions = [...memberTexts(inputRequests)];
    if (questions.length > inputLimits.maxQuestions) {
      throw new InputFailure(`the server asks more than ${inputLimits.maxQuestions} questions at once`);
    }
    const ready = questions.map(([key, question]) => ({ key, ...questionOf(key, question, capabilities) }));
    const round = new AbortController();
    try {
      const both = AbortSignal.any([signal, round.signal]);
      const answers = await Promise.all(
        ready.map(async ({ key, method, params }) => [key, await this.#askOne(method, params, both)] as const),
      );
      return objectText(new Map(answers));
    } finally {
      round.abort(new InputFailure('another question of the same round failed'));
    }
  }

  async #askOne(method: string, params: string | undefined, signal: AbortSignal): Promise<string> {
    this.#asked += 1;
    const id = `mcpt-${this.#asked}-${randomUUID()}`;
    const { text, message } = await new Promise<Spoken>((resolve, reject) => {
      const settle = (done: () => void): void => {
        timer.cancel();
        signal.removeEventListener('abort', leave);
        this.#waiting.delete(id);
        done();
      };
      const leave = (): void => settle(() => reject(signal.reason as Error));
      const timer = this.#clock.after(inputLimits.answerMs, () =>
        settle(() => reject(new InputFailure(`the agent did not answer ${method} in time`))),
      );
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.set(id, (spoken) => settle(() => resolve(spoken)));
      if (signal.aborted) return leave();
      this.#write(messageText(id, method, params));
    });
    const result = isJsonObject(message['result']) ? memberText(text, 'result') : undefined;
    if (result !== undefined) return result;
    throw new InputFailure(`the agent answered ${method} with an error: ${errorMessage(message['error'])}`);
  }
}

/** What a legacy server or agent calls the same question. Throws {@link InputFailure}. */
function questionOf(
  key: string,
  question: string,
  capabilities: JsonObject,
): { method: string; params: string | undefined } {
  const { method, params } = JSON.parse(question) as { method?: JsonValue; params?: JsonValue };
  const name = typeof method === 'string' ? method : '';
  const missing = missingCapability(name, params, capabilities);
  if (missing !== undefined) throw new InputFailure(`the server asks for ${JSON.stringify(key)} (${name}): ${missing}`);
  const text = memberText(question, 'params');
  const isUrl = name === 'elicitation/create' && isJsonObject(params) && params['mode'] === 'url';
  if (!isUrl || params['elicitationId'] !== undefined || text === undefined) return { method: name, params: text };
  // 2025-11-25 names each one; 2026-07-28 does not.
  return { method: name, params: withMembers(text, { elicitationId: JSON.stringify(randomUUID()) }) };
}

/** Why the agent cannot be asked this, or `undefined`. A bare `elicitation: {}` means forms. */
export function missingCapability(method: string, params: JsonValue | undefined, has: JsonObject): string | undefined {
  const of = { 'sampling/createMessage': 'sampling', 'elicitation/create': 'elicitation', 'roots/list': 'roots' }[
    method
  ];
  if (of === undefined) return 'no agent can be asked that';
  const own = has[of];
  if (!isJsonObject(own)) return `the agent did not declare the capability ${of}`;
  const wants = isJsonObject(params) ? params : {};
  if (of === 'sampling' && (wants['tools'] ?? wants['toolChoice']) !== undefined && !isJsonObject(own['tools'])) {
    return 'the agent did not declare the capability sampling.tools';
  }
  if (of !== 'elicitation') return undefined;
  const mode = wants['mode'] === 'url' ? 'url' : 'form';
  const isImplied = mode === 'form' && own['url'] === undefined;
  return isImplied || isJsonObject(own[mode])
    ? undefined
    : `the agent did not declare the capability elicitation.${mode}`;
}

function errorMessage(error: JsonValue | undefined): string {
  const message = isJsonObject(error) ? error['message'] : undefined;
  return typeof message === 'string' ? message.slice(0, 500) : 'without a message';
}
