// The command tree, built from the table of commands: reads the words, finds the row, runs it, and turns whatever
// comes back into an exit code. Commander parses; what it complains about is said in our words.
import { Command, CommanderError, Option } from 'commander';
import { TunnelError } from '../core/errors.ts';
import { productVersion } from '../helper/product.ts';
import type { CommandContext, CommandRow, Options } from './command.ts';

/** What a command needs, known before its words are read. */
export type Frame = Omit<CommandContext, 'commandLine'>;

/** Where help and version go; they are for people also with `--json`. */
export type Page = { write: (text: string) => void };

/** Groups of commands, in the order of the help. */
const GROUPS: Record<string, string> = {
  agents: 'who may call: let agents in, change what they may do, revoke',
  audit: 'the chained and signed logs of what agents did: show, verify, export',
  allow: 'where tunnels may go, by your policy file',
  edge: 'host an edge: a relay for the tunnels of several machines',
};

const FIRST_STEPS = `
First steps, in the folder of your project:
  $ mcp-tunnel servers                          which MCP servers there are
  $ mcp-tunnel expose NAME                      one of them, until Ctrl-C
  $ mcp-tunnel agents add claude --server NAME  a token that outlives that run

“mcp-tunnel COMMAND --help” shows options and examples of a command.
Exit codes: 0 done or told to end, 2 usage, 3 denied by policy, 4 the tunnel
failed, 5 the server failed, 130 interrupted.`;

/**
 * Runs the command that `words` (without node and script) name. Throws `USAGE` for words it does not understand,
 * and whatever the command throws.
 */
export async function runProgram(
  words: readonly string[],
  rows: readonly CommandRow[],
  frame: Frame,
  page: Page,
): Promise<void> {
  const { own, commandLine } = splitCommandLine(words);
  const program = buildProgram(rows, { ...frame, commandLine }, page);
  try {
    await program.parseAsync(own, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return; // Help or version was shown.
    throw error.code === 'commander.help' ? missingCommand(program, own[0]) : usageError(error);
  }
}

/** `mcp-tunnel agents add --help` for words that begin with `agents add`, and the help above it for words it does not know. */
export function helpFor(words: readonly string[], rows: readonly CommandRow[]): string {
  const [first = '', second = ''] = words;
  const names = new Set(rows.flatMap(({ name }) => [name, name.split(' ', 1)[0] ?? '']));
  const name = [`${first} ${second}`, first].find((one) => names.has(one));
  return name === undefined ? 'mcp-tunnel --help' : `mcp-tunnel ${name} --help`;
}

/** The words before `--`, and those behind it, which belong to somebody else's command. */
function splitCommandLine(words: readonly string[]): { own: string[]; commandLine: string[] } {
  const at = words.indexOf('--');
  return at < 0 ? { own: [...words], commandLine: [] } : { own: words.slice(0, at), commandLine: words.slice(at + 1) };
}

function buildProgram(rows: readonly CommandRow[], context: CommandContext, page: Page): Command {
  const program = new Command('mcp-tunnel')
    .description('Expose a local MCP server to remote agents through an outbound-only tunnel, and see what they send.')
    .version(productVersion, '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ writeOut: page.write, writeErr: () => {} }) // Complaints arrive as errors.
    .addHelpText('after', FIRST_STEPS);
  const groups = new Map<string, Command>();
  for (const row of rows) {
    const [first = '', second] = row.name.split(' ');
    if (second === undefined) addRow(program, first, row, context);
    else addRow(groupOf(program, groups, first), second, row, context);
  }
  return program;
}

function groupOf(program: Command, groups: Map<string, Command>, name: string): Command {
  const known = groups.get(name);
  if (known) return known;
  const group = program
    .command(name)
    .description(GROUPS[name] ?? '')
    .helpCommand(false);
  groups.set(name, group);
  return group;
}

function addRow(parent: Command, name: string, row: CommandRow, context: CommandContext): void {
  const command = parent.command(row.arguments ? `${name} ${row.arguments}` : name).description(row.summary);
  if (row.takesCommand) command.usage(`[options] ${row.arguments ?? ''} [-- COMMAND ARG…]`);
  for (const option of row.options) command.addOption(makeOption(option));
  command.option('--json', 'one JSON object a line on stdout');
  const examples = row.examples.map((example) => `  $ mcp-tunnel ${example}`).join('\n');
  command.addHelpText('after', `\nExample${row.examples.length === 1 ? '' : 's'}:\n${examples}`);
  command.action(async () => {
    if (context.commandLine.length > 0 && !row.takesCommand) {
      throw new TunnelError('USAGE', `mcp-tunnel ${row.name} runs no command: leave out “--” and what follows`);
    }
    await row.run(context, command.processedArgs as string[], command.opts<Options>());
  });
}

function makeOption({ flags, help, parse, default: usual, required }: CommandRow['options'][number]): Option {
  const option = new Option(flags, help);
  if (usual !== undefined) option.default(parse ? parse(usual, undefined) : usual, usual);
  if (required) option.makeOptionMandatory();
  if (parse) {
    option.argParser((text: string, before: unknown) => {
      try {
        return parse(text, before);
      } catch (error) {
        if (!(error instanceof TunnelError)) throw error;
        throw new TunnelError(error.code, `${option.long ?? flags}: ${error.message}`, { cause: error });
      }
    });
  }
  return option;
}

/** `mcp-tunnel` or `mcp-tunnel agents` alone. */
function missingCommand(program: Command, group: string | undefined): TunnelError {
  const parent = program.commands.find((command) => command.name() === group) ?? program;
  const path = parent === program ? 'mcp-tunnel' : `mcp-tunnel ${parent.name()}`;
  const names = parent.commands.map((command) => command.name()).join(', ');
  return new TunnelError('USAGE', `${path} needs a command: ${names}; “${path} --help” explains them`);
}

/** Commander's sentence without its prefix, its suggestion on the same line. */
function usageError(error: CommanderError): TunnelError {
  const message = error.message
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ')
    .trim();
  const forgotten = /too many arguments for 'expose'/.test(message)
    ? '; to run a command write: expose -- COMMAND ARG…'
    : '';
  return new TunnelError('USAGE', `${message}${forgotten}`, { cause: error });
}
