// What a developer is asked on the terminal about a call that waits: what it is, and what becomes of it. Loaded with the
// first such call.
import { isCancel, note, select, text } from '@clack/prompts';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import type { HeldCall, HoldAnswer } from '../mcp/heldCall.ts';
import type { Asking } from './pairPrompts.ts';
import { plainLine, plainText } from './plainText.ts';

/** Characters of arguments that are shown. */
const maxShown = 2_000;

/** Leaving the question denies the call. `problem`: why the answer before this could not be taken. */
export async function askAboutCall(
  call: HeldCall,
  nowMs: number,
  problem: string | undefined,
  asking: Asking,
): Promise<HoldAnswer> {
  const lines = [
    `Agent      ${plainLine(call.agent)}`,
    `Tool       ${plainLine(call.tool)}`,
    `Because    ${plainLine(call.rule)}`,
    '',
    plainText(shown(call.arguments)),
  ];
  note(lines.join('\n'), problem === undefined ? 'A call waits for you' : plainLine(problem), asking);
  const seconds = Math.max(0, Math.round((call.untilMs - nowMs) / 1000));
  const what = await select({
    ...asking,
    message: `What becomes of it? It is denied in ${seconds} s`,
    initialValue: 'continue',
    options: [
      { value: 'continue', label: 'Continue' },
      ...(call.isWhole ? [{ value: 'edit', label: 'Edit the arguments and continue …' }] : []),
      { value: 'deny', label: 'Deny …' },
      { value: 'mock', label: 'Answer in place of the server …' },
    ],
  });
  switch (isCancel(what) ? 'no' : what) {
    case 'continue':
      return { kind: 'continue' };
    case 'edit': {
      const edited = await askText('Arguments', asking, call.arguments, notAnObject);
      return edited === undefined ? { kind: 'deny' } : { kind: 'continue', arguments: parsed(edited)! };
    }
    case 'deny': {
      const message = await askText('What is the agent told?', asking);
      return message === undefined || message === '' ? { kind: 'deny' } : { kind: 'deny', message };
    }
    case 'mock': {
      const said = await askText('Text of the answer', asking);
      if (said === undefined) return { kind: 'deny' };
      return { kind: 'mock', result: { content: [{ type: 'text', text: said }] } };
    }
    default:
      return { kind: 'deny' };
  }
}

async function askText(
  message: string,
  asking: Asking,
  initialValue = '',
  validate: (typed: string | undefined) => string | undefined = () => undefined,
): Promise<string | undefined> {
  const typed = await text({ ...asking, message, initialValue, validate });
  return isCancel(typed) ? undefined : (typed ?? '');
}

function shown(args: string): string {
  const whole = parsed(args);
  const pretty = whole === undefined ? args : JSON.stringify(whole, null, 2);
  return pretty.length > maxShown ? `${pretty.slice(0, maxShown)}…` : pretty;
}

function notAnObject(typed: string | undefined): string | undefined {
  return parsed(typed ?? '') === undefined ? 'a JSON object, like {"path":"/tmp"}' : undefined;
}

function parsed(json: string): JsonObject | undefined {
  try {
    const value = JSON.parse(json) as JsonValue;
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined; // What is shown may be cut, and what is typed anything.
  }
}
