// Whoever knocks without a token costs little and hides nothing: what agents do stays to be seen.
import { expect, it } from 'vitest';
import { strangerBounds } from '../../src/traffic/trafficLog.ts';
import { callHttp2, connectAgent2 } from '../support/agents.ts';
import { aGateway, mcpHeaders, post, request, resultOf, serverId } from '../support/gateway.ts';
import { until } from '../support/until.ts';

it('strangers in thousands do not push the call of an agent out of the inspector', { timeout: 60_000 }, async () => {
  const world = await aGateway({ answer: (sent) => resultOf(sent, {}) });
  expect((await post(world, request('tools/call', { name: 'mine' }))).status).toBe(200);
  const session = connectAgent2(world.target);
  const knocks: (() => Promise<unknown>)[] = [
    () => callHttp2(session, { path: '/mcp', headers: mcpHeaders('mcpt_wrong') }), // Refused, later throttled.
    () => callHttp2(session, { path: '/elsewhere' }),
    () => callHttp2(session, { path: '/mcp', headers: { ...mcpHeaders(world.token), origin: 'https://evil.example' } }),
  ];
  for (let round = 0; round < 18; round += 1) {
    await Promise.all(Array.from({ length: 99 }, (_, index) => knocks[index % knocks.length]!()));
  }
  session.destroy();
  await until(() => world.unanswered() === 0);
  const rows = world.rows();
  const strangers = rows.filter(({ stranger }) => stranger);
  expect(strangers).toHaveLength(strangerBounds.capacity);
  expect(new Set(strangers.map(({ httpStatus }) => httpStatus))).toEqual(new Set([403, 404, 429]));
  expect(rows.filter(({ stranger }) => !stranger)).toMatchObject([{ name: 'mine', status: 'ok', agent: 'tester' }]);
});

it('an agent whose token is good is no stranger, whatever becomes of its request', async () => {
  const world = await aGateway({ answer: (sent) => resultOf(sent, {}) });
  await post(world, 'nonsense');
  await post(world, request('ping'), { headers: { 'mcp-session-id': 'never issued' } });
  const { token } = await world.grantFor({ tools: [] }, { servers: [serverId] });
  await post({ ...world, token }, request('tools/call', { name: 'x' }));
  await until(() => world.unanswered() === 0);
  expect(world.rows().map(({ stranger, status }) => [stranger, status])).toEqual([
    [undefined, 'error'],
    [undefined, 'error'],
    [undefined, 'denied'],
  ]);
});
