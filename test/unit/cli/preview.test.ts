import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { World } from './world.ts';

const odd = join(import.meta.dirname, '../../fixtures/oddServer.mjs');

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => world.close());

const define = (...args: string[]): Promise<void> =>
  writeFile(
    join(world.folder, '.mcp.json'),
    JSON.stringify({ mcpServers: { odd: { command: process.execPath, args: [odd, ...args] } } }),
  );

describe('preview', () => {
  it('shows what a server offers in a few lines', async () => {
    await define('partial');
    const { code, out } = await world.run(['preview', 'odd']);
    expect(code).toBe(0);
    expect(out).toMatch(/^odd 1, MCP 2025-11-25, asked just now\n\nTools: 1, about \d+ tokens\n/);
    expect(out).toMatch(/\nget_forecast +\d+ +Tells the weather of a city\.\n/);
    expect(out).toContain('Prompts: the server did not answer prompts/list: the prompts are broken\n');
    expect(out).toContain('Resources: 1 (odd://one)\nResource templates: none\n');
    expect(out).not.toContain('suspicious');
  });

  it('tells what looks suspicious and what clients refuse, and lets nothing act on the terminal', async () => {
    const { code, out } = await world.run(['preview', '--', process.execPath, odd, 'poisoned']);
    expect(code).toBe(0);
    expect(out).toContain('Looks suspicious; these are hints, no proof');
    expect(out).toContain('add: description tells the model to keep something from you');
    expect(out).toContain('Refused by some clients:');
    // eslint-disable-next-line no-control-regex
    expect(out).not.toMatch(/[\u001b\u202e]/);
  });

  it('prints one event with --json, each finding with its sentence', async () => {
    const { events } = await world.run(['preview', '--json', '--', process.execPath, odd, 'poisoned']);
    expect(events).toMatchObject([{ event: 'preview', era: 'legacy', tools: { kind: 'listed' } }]);
    const [first] = (events[0]!['tools'] as { items: { findings: object[] }[] }).items;
    expect(first?.findings).toContainEqual({
      rule: 'hides-from-user',
      where: 'description',
      words: ['Do not tell the user'],
      level: 'suspicious',
      sentence: 'description tells the model to keep something from you: “Do not tell the user”.',
    });
  });

  it('remembers, asks again with --refresh, and says what changed', async () => {
    const list = join(world.folder, 'tools.json');
    const tools = (description: string): Promise<void> =>
      writeFile(list, JSON.stringify([{ name: 'forecast', description, inputSchema: { type: 'object' } }]));
    await define('drifting', list);
    await tools('Tells the weather.');
    await world.run(['preview', 'odd']);
    await tools('Tells the weather, and more.');
    expect((await world.run(['preview', 'odd'])).out).toContain('Tells the weather.\n');
    const { out } = await world.run(['preview', 'odd', '--refresh']);
    expect(out).toContain('Tells the weather, and more.\n');
    expect(out).toMatch(/Its tools are not what they were \d+s ago:\n {2}forecast: description changed\n/);
  });

  it('fails like a tunnel would, with the last words of the server', async () => {
    await define('exit');
    const { code, err } = await world.run(['preview', 'odd']);
    expect(code).toBe(5);
    expect(err).toContain('│ cannot start with undefined');
    const unnamed = await world.run(['preview']);
    expect(unnamed.code).toBe(2);
    expect(unnamed.err).toContain('name one server');
  });
});
