import { expect, it } from 'vitest';
import { Tokens } from '../../../src/extension/tokens.ts';
import { memory, secretStorage } from './memory.ts';
import { grant, nowMs } from './samples.ts';

function world() {
  const secrets = secretStorage();
  const index = memory();
  return { secrets, index, tokens: new Tokens(secrets, index) };
}

it('gives back the newest token of a server that still works', async () => {
  const { tokens } = world();
  await tokens.keep('s1', grant({ id: 'old' }), 'mcpt_old');
  await tokens.keep('s1', grant({ id: 'new' }), 'mcpt_new');
  await tokens.keep('s2', grant({ id: 'other' }), 'mcpt_other');

  const grants = [grant({ id: 'old' }), grant({ id: 'new' }), grant({ id: 'other' })];
  expect(await tokens.find('s1', grants, nowMs)).toBe('mcpt_new');
  const revoked = grants.map((one) => (one.id === 'new' ? { ...one, revokedMs: nowMs } : one));
  expect(await tokens.find('s1', revoked, nowMs)).toBe('mcpt_old');
  expect(await tokens.find('s3', grants, nowMs)).toBeUndefined();
});

it('gives no token whose grant has expired', async () => {
  const { tokens } = world();
  await tokens.keep('s1', grant(), 'mcpt_x');
  expect(await tokens.find('s1', [grant({ expiresMs: nowMs })], nowMs)).toBeUndefined();
});

it('deletes the texts whose grants are gone, and keeps the others', async () => {
  const { tokens, secrets } = world();
  for (const id of ['works', 'revoked', 'expired', 'unknown']) await tokens.keep('s1', grant({ id }), `mcpt_${id}`);
  const known = [
    grant({ id: 'works' }),
    grant({ id: 'revoked', revokedMs: nowMs - 1 }),
    grant({ id: 'expired', expiresMs: nowMs - 1 }),
  ];
  await tokens.prune(known, nowMs);
  expect([...secrets.values.values()]).toEqual(['mcpt_works']);
  expect(await tokens.find('s1', known, nowMs)).toBe('mcpt_works');
});

it('keeps texts in the secret storage only', async () => {
  const { tokens, index } = world();
  await tokens.keep('s1', grant(), 'mcpt_secret');
  expect(JSON.stringify([...index.values])).not.toContain('mcpt_secret');
});
