// A shared server that speaks both eras, behind the bridge: what it is begun with belongs to all of its sessions, and an
// agent that cannot live with it must not make the bridge take it for another server.
import { describe, expect, it, onTestFinished } from 'vitest';
import { EraBridge } from '../../../src/upstream/eras/eraBridge.ts';
import { postOf } from '../../../src/upstream/eras/spoken.ts';
import { StdioUpstream } from '../../../src/upstream/stdioUpstream.ts';
import { bothErasCommand } from '../../support/bothEras.ts';
import { expectNothingLeft } from '../../support/leaks.ts';
import { answerOf, request, type Answer } from '../../support/stdioWorld.ts';

type Asking = { method: string; params: object; principal: string; sessionId?: string };
type World = (asking: Asking) => Promise<Answer & { marks: string[] }>;

function world(): World {
  const [command = '', ...args] = bothErasCommand('--era', 'both');
  const upstream = new StdioUpstream({ command, args, env: {}, cwd: process.cwd(), isolation: 'shared' });
  const bridge = new EraBridge({ upstream });
  onTestFinished(() => bridge.close());
  return async ({ method, params, principal, sessionId }) => {
    const marks: string[] = [];
    const { signal } = new AbortController();
    const text = JSON.stringify(request(1, method, params));
    const asked = postOf(text, { era: 'legacy', principal, signal, headers: {}, sessionId });
    const answer = await bridge.forward({ ...asked, mark: (flag) => void marks.push(flag) });
    return { ...(await answerOf(answer)), marks };
  };
}

const begin = (principal: string, capabilities: object): Asking => ({
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities, clientInfo: { name: 'a', version: '1' } },
  principal,
});

describe('sessions of a shared server of both eras', () => {
  it('stay when an agent is refused that cannot live with what was agreed on', async () => {
    expectNothingLeft();
    const ask = world();
    const begun = await ask(begin('g_1', { sampling: {} }));
    const sessionId = begun.headers['mcp-session-id']!;
    const refused = await ask(begin('g_2', {}));
    expect(refused.json.error?.message).toContain('this server is shared between agents');
    const listed = await ask({ method: 'tools/list', params: {}, principal: 'g_1', sessionId });
    expect([listed.status, listed.json]).toMatchObject([200, { id: 1, result: {} }]);
  });

  it('say in their rows that the server was begun under another id', async () => {
    const ask = world();
    expect((await ask(begin('g_1', {}))).marks).toEqual(['remapped']);
    expect((await ask(begin('g_2', {}))).marks).toEqual(['remapped']);
  });
});
