import { describe, expect, it } from 'vitest';
import type { DiscoveredServer } from '../../../src/core/server.ts';
import { EditedCommands, maxEditedCommands } from '../../../src/helper/editedCommands.ts';
import { MemoryFiles } from '../../support/memoryFiles.ts';

const guessed: DiscoveredServer = {
  id: 'a',
  name: 'a',
  source: { format: 'project' },
  transport: { kind: 'stdio', command: 'node', args: ['x.js'], env: { A: 'b' }, cwd: '/w' },
  guess: { reason: 'bin', confidence: 'low' },
  problem: 'it is not built yet',
};
const { guess: _guess, problem: _problem, ...plain } = guessed;
const declared: DiscoveredServer = { ...plain, id: 'b', source: { format: 'vscode', file: '/w/mcp.json', line: 1 } };

describe('commands in place of guesses', () => {
  it('are used for the guess, never for what a file declares, and survive the process', async () => {
    const files = new MemoryFiles();
    const first = new EditedCommands(files, '/commands.json');
    await first.set('a', { command: 'npm', args: ['start'] });
    await first.set('b', { command: 'rm', args: ['-rf'] });
    const [a, b] = await new EditedCommands(files, '/commands.json').applyTo([guessed, declared]);
    expect(a).toMatchObject({
      transport: { command: 'npm', args: ['start'], env: { A: 'b' }, cwd: '/w' },
      guess: { edited: true },
    });
    expect(a).not.toHaveProperty('problem');
    expect(b).toEqual(declared);
  });

  it('are forgotten on demand, and the oldest at the bound', async () => {
    const commands = new EditedCommands(new MemoryFiles(), '/commands.json');
    await commands.set('a', { command: 'npm', args: [] });
    await commands.set('a', undefined);
    expect(await commands.applyTo([guessed])).toEqual([guessed]);
    await commands.set('a', { command: 'npm', args: [] });
    for (let id = 0; id < maxEditedCommands; id += 1) await commands.set(`x${id}`, { command: 'x', args: [] });
    expect(await commands.applyTo([guessed])).toEqual([guessed]);
  });

  it('in a file that cannot be read are an error that says what to do', async () => {
    const files = new MemoryFiles();
    await files.write('/commands.json', '{');
    const commands = new EditedCommands(files, '/commands.json');
    await expect(commands.applyTo([guessed])).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
