import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommandContext, CommandRow, Options } from '../../../src/cli/command.ts';
import { commands } from '../../../src/cli/commands.ts';
import { exitCodes } from '../../../src/cli/exitCodes.ts';
import { duration, repeated } from '../../../src/cli/optionParsers.ts';
import { runProgram, type Frame } from '../../../src/cli/program.ts';
import { World } from './world.ts';

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => world.close());

type Call = { args: readonly (string | undefined)[]; options: Options; commandLine: readonly string[] };

async function call(words: string[], row: Partial<CommandRow> = {}): Promise<Call> {
  let seen: Call | undefined;
  const run = async ({ commandLine }: CommandContext, args: readonly (string | undefined)[], options: Options) => {
    seen = { args, options, commandLine };
  };
  const rows = [{ name: 'do', arguments: '[what]', summary: '', options: [], examples: ['do'], ...row, run }];
  await runProgram(words, rows, {} as Frame, { write: () => {} });
  return seen!;
}

describe('the command tree', () => {
  it('hands arguments and parsed options on', async () => {
    const options = [
      { flags: '--for <span>', help: '', parse: duration, default: '1h' },
      { flags: '--tools <glob...>', help: '', parse: repeated },
    ];
    expect(await call(['do', 'it', '--tools', 'a', 'b', '--tools', 'c'], { options })).toEqual({
      args: ['it'],
      options: { for: 3_600_000, tools: ['a', 'b', 'c'] },
      commandLine: [],
    });
    expect((await call(['do', '--for', '2s', '--json'], { options })).options).toEqual({ for: 2000, json: true });
  });

  it('leaves everything behind -- to the command that takes it, options and all', async () => {
    const { args, commandLine, options } = await call(['do', '--json', '--', 'node', '--json', '--', '-x'], {
      takesCommand: true,
    });
    expect({ args, commandLine, options }).toEqual({
      args: [undefined],
      commandLine: ['node', '--json', '--', '-x'],
      options: { json: true },
    });
    await expect(call(['do', '--', 'node'])).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('names the option whose value is off', async () => {
    const options = [{ flags: '--for <span>', help: '', parse: duration }];
    await expect(call(['do', '--for', 'ever'], { options })).rejects.toThrow(/^--for: “ever” is not a time span/);
  });

  it.each([
    [[], /needs a command: expose, servers/],
    [['agents'], /mcp-tunnel agents needs a command: add, list/],
    [['serverz'], /Did you mean servers\?/],
    [['agents', 'lst'], /Did you mean list\?/],
    [['servers', '--jsno'], /Did you mean --json\?/],
    [['servers', 'a', 'b'], /too many arguments/],
    [['agents', 'add'], /missing required argument 'name'/],
    [['enroll', 'edge.example.com'], /--token-file <file>' not specified/],
    [['expose', '--port'], /argument missing/],
    [['agents', 'add', 'x', '--expires', '0s'], /--expires: /],
    [['edge', 'run', '--domain', 'localhost'], /--domain: /],
  ])('refuses %j with exit code 2 and a sentence', async (words, sentence) => {
    const { code, out, err } = await world.run(words);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(sentence);
    expect(err).not.toMatch(/\n +at /);
  });

  it.each([
    [['agents', 'add', 'x', '--expires', '0s'], '“mcp-tunnel agents add --help”'],
    [['agents', 'lst'], '“mcp-tunnel agents --help”'],
    [['serverz'], '“mcp-tunnel --help”'],
    [['expose', '--bogus'], '“mcp-tunnel expose --help”'],
  ])('names the help that explains %j', async (words, help) => {
    expect((await world.run(words)).err).toContain(help);
  });

  it('complains in JSON, too', async () => {
    const { code, events } = await world.run(['serverz', '--json']);
    expect(code).toBe(2);
    expect(events).toMatchObject([{ event: 'error', code: 'USAGE', exitCode: 2 }]);
  });

  it('explains each command with an example that it would accept', async () => {
    for (const row of commands) {
      const { code, out, err } = await world.run([...row.name.split(' '), '--help']);
      expect([code, err]).toEqual([0, '']);
      expect(out).toContain(row.summary.slice(0, 30));
      for (const example of row.examples) {
        expect(out).toContain(`$ mcp-tunnel ${example}`);
        expect(example.startsWith(row.name)).toBe(true);
      }
    }
  });

  it('shows the first steps and the exit codes to whoever asks for nothing but help', async () => {
    const { code, out } = await world.run(['--help']);
    expect(code).toBe(0);
    for (const step of ['servers ', 'expose NAME ', 'agents add claude --server NAME ']) {
      expect(out).toContain(`  $ mcp-tunnel ${step}`);
    }
    for (const [name, exitCode] of Object.entries(exitCodes)) expect(out, name).toContain(`${exitCode} `);
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('says its version', async () => {
    expect(await world.run(['--version'])).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+/) });
  });
});
