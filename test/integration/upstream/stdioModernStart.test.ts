// The first words between an agent of the modern era and a stdio server that was just started: it is asked something short
// beside the agent's call, which must not be taken for that call.
import { expect, it } from 'vitest';
import { modernAgent } from '../../support/modernAgent.ts';
import { stdioWorld } from '../../support/stdioWorld.ts';

it('a first call gets its own answer from a server that cannot read what it is asked beside it', async () => {
  const server = `require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, method } = JSON.parse(line);
    const said = method === 'server/discover' ? { id: null, error: { code: -32700, message: 'what?' } } : { id, result: {} };
    console.log(JSON.stringify({ jsonrpc: '2.0', ...said }));
  })`;
  const agent = modernAgent(stdioWorld([], { args: ['-e', server] }), 'g_1');
  expect((await agent.post(1, 'tools/call', { name: 'x' })).json).toEqual({ jsonrpc: '2.0', id: 1, result: {} });
  expect((await agent.post(2, 'server/discover')).json).toMatchObject({ id: null, error: { code: -32700 } });
});
