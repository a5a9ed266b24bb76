// A server whose file leaves something to its user: asked on the terminal, answered to the helper for this run. Where
// nobody can be asked, the environment may hold the answers; never an argument, which every program can read.
import { TunnelError } from '../core/errors.ts';
import { isSecretAnswer } from '../core/secretAnswer.ts';
import type { DiscoveredServer, ServerInput } from '../core/server.ts';
import type { InputAnswer } from '../protocol/control.ts';
import type { CommandContext } from './command.ts';
import type { HelperPeer } from './ownHelper.ts';

/** `MCP_TUNNEL_INPUT_<ID>`, the id in capitals, everything but letters and digits as `_`. */
export function inputVariable(id: string): string {
  return `MCP_TUNNEL_INPUT_${id.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`;
}

/** Throws `CONFIG_INVALID` without a terminal, `CANCELLED` when the developer leaves. */
export async function answerInputs(
  context: CommandContext,
  peer: HelperPeer,
  { name, source, needs = [] }: DiscoveredServer,
): Promise<void> {
  const { env } = context;
  const given = needs.flatMap((input): InputAnswer[] => {
    const value = env[inputVariable(input.id)];
    return value === undefined
      ? []
      : [{ id: input.id, value, ...(isSecretAnswer(input, value) ? { password: true } : {}) }];
  });
  const open = needs.filter(({ id }) => !given.some((answer) => answer.id === id));
  const asked = open.length === 0 ? [] : await ask(context, name, open);
  await peer.request('servers/answer', { file: source.file ?? '', answers: [...given, ...asked] });
}

async function ask(
  { stdin, output, signal }: CommandContext,
  name: string,
  open: ServerInput[],
): Promise<InputAnswer[]> {
  if (!stdin.isTTY) {
    const variables = open.map(({ id }) => inputVariable(id)).join(', ');
    throw new TunnelError('CONFIG_INVALID', `“${name}” needs what its file asks for: set ${variables}`);
  }
  output.log(`“${name}” asks for:`);
  const { askInputs } = await import('./inputPrompts.ts');
  const goOn = output.hold();
  try {
    const answers = await askInputs(open, { input: stdin, output: output.questions, signal });
    if (answers) return answers;
    throw new TunnelError('CANCELLED', `“${name}” was not exposed: nothing was answered`);
  } finally {
    goOn();
  }
}
