import { describe, expect, it } from 'vitest';
import { Inputs, maxAnsweredFiles } from '../../../src/extension/inputs.ts';
import { server } from './samples.ts';

function world() {
  const secrets = new Map<string, string>();
  const memory = new Map<string, unknown>();
  const told: unknown[] = [];
  const inputs = new Inputs({
    secrets: {
      get: async (key) => secrets.get(key),
      store: async (key, value) => void secrets.set(key, value),
      delete: async (key) => void secrets.delete(key),
    },
    index: { get: (key) => memory.get(key), update: async (key, value) => void memory.set(key, value) },
    helper: { request: async (method: string, params: unknown) => void told.push([method, params]) as never },
  });
  const inFile = (file: string) => server({ source: { format: 'vscode', file, line: 1 } });
  return { inputs, secrets, memory, told, inFile };
}

const key = { id: 'key', value: 'hunter2', password: true };
const region = { id: 'region', value: 'eu' };

describe('answers to inputs', () => {
  it('are kept as secrets by file, told at once, and told again to the next helper', async () => {
    const { inputs, secrets, memory, told, inFile } = world();
    await inputs.keep(inFile('/w/mcp.json'), [key]);
    await inputs.keep(inFile('/w/mcp.json'), [region]);
    const both = { file: '/w/mcp.json', answers: [key, region] };
    expect(told.at(-1)).toEqual(['servers/answer', both]);
    expect(secrets.size).toBe(1);
    expect(JSON.stringify([...memory])).not.toContain('hunter2');
    told.length = 0;
    await inputs.tellAll();
    expect(told).toEqual([['servers/answer', both]]);
  });

  it('are forgotten on demand, and the helper hears of it', async () => {
    const { inputs, secrets, told, inFile } = world();
    await inputs.keep(inFile('/a'), [key]);
    await inputs.keep(inFile('/b'), [key]);
    await inputs.forget(inFile('/a'));
    expect(secrets.size).toBe(1);
    expect(told.at(-1)).toEqual(['servers/answer', { file: '/a', answers: [] }]);
    told.length = 0;
    await inputs.tellAll();
    expect(told).toEqual([['servers/answer', { file: '/b', answers: [key] }]]);
  });

  it('that were damaged are asked for again', async () => {
    const { inputs, secrets, told, inFile } = world();
    await inputs.keep(inFile('/a'), [key]);
    for (const name of secrets.keys()) secrets.set(name, '{');
    await inputs.tellAll();
    expect(told.at(-1)).toEqual(['servers/answer', { file: '/a', answers: [] }]);
  });

  it('of the oldest file are deleted at the bound', async () => {
    const { inputs, secrets, inFile } = world();
    for (let file = 0; file <= maxAnsweredFiles; file += 1) await inputs.keep(inFile(`/${file}`), [key]);
    expect(secrets.size).toBe(maxAnsweredFiles);
  });
});
