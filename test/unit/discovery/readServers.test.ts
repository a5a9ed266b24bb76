import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formats } from '../../../src/discovery/formats.ts';
import { JsoncDocument } from '../../../src/discovery/jsoncDocument.ts';
import { readConfig } from '../../../src/discovery/readConfig.ts';
import { maxServerName, maxServersPerFile, readServers } from '../../../src/discovery/readServers.ts';

const read = (text: string) => readServers(new JsoncDocument(text), { at: [['servers']], looseEnv: true });
const names = (text: string) => read(text).entries.map(({ name }) => name);
const faults = (text: string) => read(text).faults.map(({ line, column, message }) => `${line}:${column} ${message}`);

describe('readServers', () => {
  it('reads servers with their lines, in order, and the inputs', () => {
    const { entries, faults, inputs } = read(`// ours
{ "inputs": [{ "type": "promptString", "id": "key", "description": "API key" },],
  "servers": {
    "a": { "type": "stdio", "command": "node", "args": ["s.mjs"], "env": { "N": 1, "X": null, "B": true }, },
    "b": { "url": "http://localhost:1/mcp", "headers": { "X-A": "1" } },
  }, }`);
    expect(faults).toEqual([]);
    expect(inputs).toEqual(new Map([['key', { id: 'key', description: 'API key' }]]));
    expect(entries).toEqual([
      {
        name: 'a',
        line: 4,
        problems: [],
        definition: {
          kind: 'stdio',
          command: 'node',
          args: ['s.mjs'],
          env: [
            ['N', '1'],
            ['X', null],
            ['B', 'true'],
          ],
          envFile: undefined,
          cwd: undefined,
        },
      },
      {
        name: 'b',
        line: 5,
        problems: [],
        definition: { kind: 'http', url: 'http://localhost:1/mcp', headers: [['X-A', '1']] },
      },
    ]);
  });

  it('infers a missing type, and asks when it could be both', () => {
    expect(faults('{"servers":{"a":{"command":"x","url":"http://h"}}}')).toEqual([
      '1:13 servers.a has both a command and a url; say which with “type”',
    ]);
    expect(names('{"servers":{"a":{"type":"http","command":"x","url":"http://h"}}}')).toEqual(['a']);
  });

  it('keeps the servers before and after a damaged one', () => {
    const text = '{"servers":{\n"a":{"command":"x"},\n"b":{"command":tru},\n"c":{"command":"z"}\n}}';
    expect(names(text)).toEqual(['a', 'c']);
    expect(faults(text)).toEqual([
      '3:16 this is not JSON: a word without quotes',
      '3:1 servers.b is damaged and was left out',
    ]);
  });

  it.each([
    '{"servers":{"a":{"command":"x"},"b":{"comm',
    '{"servers":{"a":{"command":"x"},"b":{"command":"y","env":{"K":"v"}',
  ])('keeps what is whole in a file that was cut off: %s', (text) => {
    expect(names(text)).toEqual(['a']);
    expect(faults(text).join()).toContain('servers.b is damaged');
  });

  it.each([
    ['[]', '1:1 the file must hold an object'],
    ['"text"', '1:1 the file must hold an object'],
    ['{"servers":[]}', '1:12 servers must be an object of servers by name'],
    ['{"servers":{"a":1}}', '1:17 servers.a must be an object'],
    ['{"servers":{"a":{}}}', '1:13 servers.a has neither a command nor a url'],
    ['{"servers":{"a":{"type":"stdio"}}}', '1:13 servers.a has no command'],
    ['{"servers":{"a":{"command":1}}}', '1:28 servers.a.command must be a text'],
    ['{"servers":{"a":{"command":"x","args":"y"}}}', '1:39 servers.a.args must be a list of texts'],
    ['{"servers":{"a":{"command":"x","args":["y",2]}}}', '1:44 servers.a.args[1] must be a text'],
    ['{"servers":{"a":{"command":"x","env":[]}}}', '1:38 servers.a.env must be an object of names and texts'],
    ['{"servers":{"a":{"command":"x","env":{"K":{}}}}}', '1:43 servers.a.env.K must be a text'],
    ['{"servers":{"a":{"command":"x","disabled":"no"}}}', '1:43 servers.a.disabled must be true or false'],
    ['{"servers":{"a":{"command":"x\\u0000y"}}}', '1:28 servers.a.command must not hold a NUL character'],
    [
      '{"servers":{"a":{"type":"carrier-pigeon","url":"x"}}}',
      '1:13 servers.a.type “carrier-pigeon” is not known; it is stdio or http',
    ],
    ['{"servers":{"a":{"command":"x","command":"y"}}}', '1:32 servers.a.command stands here twice'],
    ['{"servers":{"a":{"command":"x","env":{"K":"1","K":"2"}}}}', '1:47 servers.a.env.K stands here twice'],
    ['{"servers":{"":{"command":"x"}}}', `1:13 the name of a server has 1 to ${maxServerName} characters`],
  ])('names path and place of what is wrong in %s', (text, fault) => {
    expect(faults(text)).toContain(fault);
    expect(names(text)).toEqual([]);
  });

  it('knows no type by a name that every object has', () => {
    expect(faults('{"servers":{"a":{"type":"constructor","url":"http://h"}}}').join()).toContain('is not known');
  });

  it('takes numbers and null for env only where the client does', () => {
    const text = '{"mcpServers":{"a":{"command":"x","env":{"N":1}}}}';
    expect(readServers(new JsoncDocument(text), { at: [['mcpServers']] }).faults).toMatchObject([
      { message: 'mcpServers.a.env.N must be a text' },
    ]);
  });

  it('lists a server that is defined twice once, and lets nobody expose it', () => {
    const { entries, faults } = read('{"servers":{\n"a":{"command":"x"},\n"a":{"command":"y"},\n"b":{"command":"z"}}}');
    const problem = '“a” is defined twice, first in line 2; keep one';
    expect(entries.map(({ name, problems }) => [name, problems])).toEqual([
      ['a', [problem]],
      ['b', []],
    ]);
    expect(faults).toEqual([{ line: 3, column: 1, message: problem }]);
  });

  it('marks all servers when the list itself stands there twice', () => {
    const { entries } = read('{"servers":{"a":{"command":"x"}},"servers":{"b":{"command":"y"}}}');
    expect(entries.map(({ problems }) => problems.length)).toEqual([1, 1]);
  });

  it.each([
    ['{"servers":{"a":{"command":"x","disabled":true}}}', 'it is disabled in this file'],
    ['{"servers":{"a":{"type":"ws","url":"ws://h"}}}', 'its transport (ws) is not supported'],
    ['{"servers":{"a":{"url":"http://h","headersHelper":"x.sh"}}}', 'which is not run'],
  ])('lists %s with what keeps it from being exposed', (text, problem) => {
    expect(read(text).entries[0]?.problems.join()).toContain(problem);
  });

  it(`reads ${maxServersPerFile} servers of one file and says that there are more`, () => {
    const servers = Object.fromEntries(
      Array.from({ length: maxServersPerFile + 3 }, (_, n) => [`s${n}`, { command: 'x' }]),
    );
    const { entries, faults } = read(JSON.stringify({ servers }));
    expect(entries.length).toBe(maxServersPerFile);
    expect(faults).toMatchObject([{ message: 'only the first 256 of 259 servers were read' }]);
  });

  it('comes to an end with a megabyte of nothing but mistakes', () => {
    const text = `{"servers":{${'"a":{"command":tru},'.repeat(50_000)}`;
    const { entries, faults } = read(text); // The test's own time limit is the bound.
    expect(entries).toEqual([]);
    expect(faults.length).toBeLessThan(1_000);
  });

  it('throws on no text, in any format', () => {
    const shaped = fc
      .json({ maxDepth: 4 })
      .chain((json) =>
        fc.constantFrom(
          `{"servers":{"a":${json}}}`,
          `{"mcpServers":${json}}`,
          `{"inputs":${json}}`,
          `mcpServers:\n  - &a ${json}\n  - *a`,
          `extensions: {a: ${json}}`,
          `[mcp_servers.a]\ncommand = ${json}`,
          `[[mcp_servers]]\nx = ${json}`,
        ),
      );
    const cut = shaped.chain((text) => fc.nat(text.length).map((at) => text.slice(0, at)));
    fc.assert(
      fc.property(fc.constantFrom(...formats), fc.oneof(fc.string({ unit: 'binary' }), shaped, cut), (format, text) => {
        const { entries, faults } = readConfig(text, format, '/w/file', ['/w']);
        for (const { name, line } of entries) expect(name.length > 0 && line >= 1).toBe(true);
        for (const { line, column, message } of faults) expect(line >= 1 && column >= 1 && message !== '').toBe(true);
      }),
      { numRuns: 3000 },
    );
  });
});
