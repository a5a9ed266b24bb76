import { expect, it } from 'vitest';
import { Tokens } from '../../../src/extension/tokens.ts';
import { memory, secretStorage } from './memory.ts';
import { grant, nowMs } from './samples.ts';

const grants = [grant({ id: 'old' }), grant({ id: 'new' }), grant({ id: 'other' })];

function world() {
  const secrets = secretStorage();
  const index = memory();
  return { secrets, index, tokens: new Tokens(secrets, index) };
}

it('knows the tokens of a server that still work, the newest first', async () => {
  const { tokens } = world();
  const of = (server: string, known = grants) => tokens.usable(server, known, nowMs).map(({ id }) => id);
  await tokens.keep(grant({ id: 'old', scope: { servers: ['s1'] } }), 'mcpt_old');
  await tokens.keep(grant({ id: 'new', scope: { servers: ['s1'] } }), 'mcpt_new');
  await tokens.keep(grant({ id: 'other', scope: { servers: ['s2'] } }), 'mcpt_other');

  expect(of('s1')).toEqual(['new', 'old']);
  expect(await tokens.of('new')).toBe('mcpt_new');
  const revoked = grants.map((one) => (one.id === 'new' ? { ...one, revokedMs: nowMs } : one));
  expect(of('s1', revoked)).toEqual(['old']);
  expect(of('s3')).toEqual([]);
});

it('never gives an agent what is held for a use of its own, also after it was rotated', async () => {
  const { tokens } = world();
  const chat = grant({ id: 'chat', scope: { servers: ['s1'] } });
  await tokens.setAside(chat, 'mcpt_chat');
  expect([tokens.usable('s1', [chat], nowMs), await tokens.of('chat')]).toEqual([[], 'mcpt_chat']);
  await tokens.keep(chat, 'mcpt_rotated');
  expect([tokens.usable('s1', [chat], nowMs), await tokens.of('chat')]).toEqual([[], 'mcpt_rotated']);
  await tokens.prune([], nowMs);
  expect(await tokens.of('chat')).toBeUndefined();
});

it('gives the token of a grant for several servers, or for all, with each of them', async () => {
  const { tokens } = world();
  const [both, all] = [
    grant({ id: 'both', scope: { servers: ['s1', 's2'] } }),
    grant({ id: 'all', scope: { servers: ['*'] } }),
  ];
  await tokens.keep(both, 'mcpt_both');
  await tokens.keep(all, 'mcpt_all');
  expect(tokens.usable('s2', [both, all], nowMs)).toEqual([all, both]);
  expect(tokens.usable('s9', [both, all], nowMs)).toEqual([all]);
});

it('puts the text of a rotated grant in place of the old one, and forgets that of a revoked one', async () => {
  const { tokens, secrets } = world();
  await tokens.keep(grant(), 'mcpt_old');
  await tokens.keep(grant(), 'mcpt_new');
  expect([...secrets.values.values()]).toEqual(['mcpt_new']);
  await tokens.forget('g1');
  expect(tokens.holds('g1')).toBe(false);
  expect(await tokens.of('g1')).toBeUndefined();
  expect(secrets.values.size).toBe(0);
});

it('gives no token whose grant has expired', async () => {
  const { tokens } = world();
  await tokens.keep(grant(), 'mcpt_x');
  expect(tokens.usable('s1', [grant({ expiresMs: nowMs })], nowMs)).toEqual([]);
});

it('deletes the texts whose grants are gone, and keeps the others', async () => {
  const { tokens, secrets } = world();
  for (const id of ['works', 'revoked', 'expired', 'unknown']) await tokens.keep(grant({ id }), `mcpt_${id}`);
  const known = [
    grant({ id: 'works' }),
    grant({ id: 'revoked', revokedMs: nowMs - 1 }),
    grant({ id: 'expired', expiresMs: nowMs - 1 }),
  ];
  await tokens.prune(known, nowMs);
  expect([...secrets.values.values()]).toEqual(['mcpt_works']);
  expect(await tokens.of('works')).toBe('mcpt_works');
});

it('keeps texts in the secret storage only', async () => {
  const { tokens, index } = world();
  await tokens.keep(grant(), 'mcpt_secret');
  expect(JSON.stringify([...index.values])).not.toContain('mcpt_secret');
});
