// Grants of agents that come without a token: what is kept of them, what is shown, and what cannot be asked for.
import { randomBytes } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { GrantStore, type NewGrant } from '../../../src/identity/grants.ts';
import { digest } from '../../../src/identity/token.ts';
import { maxAuthorityLength, maxClaims, type NewWay } from '../../../src/identity/way.ts';
import { aClient, anIssuer } from '../../support/clientCertificates.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { MemoryFiles } from '../../support/memoryFiles.ts';

const root = anIssuer('Build CA');
const clock = new FakeClock(Date.now());

async function aStore(
  files = new MemoryFiles(),
): Promise<{ store: GrantStore; files: MemoryFiles; text: () => string }> {
  const store = new GrantStore({ files, path: '/grants.json', clock, randomBytes });
  onTestFinished(() => store.close());
  await store.load();
  return { store, files, text: () => files.texts.get('/grants.json') ?? '' };
}

const wanted = (): NewGrant => ({ name: 'x', servers: ['s1'], scope: {}, expiresMs: clock.now() + 60_000 });
const jwt = { kind: 'jwt', issuer: 'https://issuer.example', audience: 'a' } as const;

describe('a grant without a token', () => {
  it('is kept without its secret, and shown without the authority’s certificate, to every process', async () => {
    const { store, files, text } = await aStore();
    const { grant, secret = '' } = await store.addWay(wanted(), { kind: 'path-secret' });
    expect(grant.way).toEqual({ kind: 'path-secret' });
    const certified = await store.addWay(wanted(), { kind: 'certificate', caPem: root.cert, name: 'build' });
    expect(certified).toEqual({
      grant: expect.objectContaining({
        way: { kind: 'certificate', ca: expect.stringMatching(/^[0-9a-f]{64}$/) as string, name: 'build' },
      }) as object,
    });
    const terms = { ...jwt, jwks: 'https://keys.example/', claims: { sub: 'x' } };
    expect((await store.addWay(wanted(), terms)).grant.way).toEqual(terms);
    expect(text()).toContain(digest(secret));
    expect(text()).not.toContain(secret);
    expect((await aStore(files)).store.list()).toEqual(store.list());
  });

  it('stands beside those of files that were written before there were any', async () => {
    const { store, files, text } = await aStore();
    const { token } = await store.add(wanted());
    const old = JSON.parse(text()) as { grants: object[] };
    expect(Object.keys(old.grants[0]!)).not.toContain('way');
    const paired = {
      ...old.grants[0],
      id: 'g_2',
      digests: [],
      paired: { client: 'Claude', redirectHost: 'claude.ai' },
    };
    files.texts.set('/grants.json', JSON.stringify({ ...old, grants: [...old.grants, paired] }));
    const read = (await aStore(files)).store;
    expect(read.authenticate(`Bearer ${token}`, 's1')).toMatchObject({
      kind: 'principal',
      principal: { kind: 'grant' },
    });
    expect(read.judge('g_2', 's1')).toMatchObject({ kind: 'principal', principal: { kind: 'oauth' } });
  });

  it('of a kind that is not known lets nobody in, and the place in the file is named', async () => {
    const { store, files, text } = await aStore();
    await store.addWay(wanted(), { kind: 'path-secret' });
    files.texts.set('/grants.json', text().replace('path-secret', 'password'));
    await expect(aStore(files)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('grants[0].way'),
    });
  });

  it('that brings its own proof has nothing to rotate', async () => {
    const { store } = await aStore();
    const { grant } = await store.addWay(wanted(), jwt);
    await expect(store.rotate(grant.id, 0)).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('is as many principals as are signed for, each judged again by its own proof', async () => {
    const { store } = await aStore();
    const { grant } = await store.addWay(wanted(), jwt);
    const [one, two] = ['one', 'two'].map((subject) =>
      store.judge(grant.id, 's1', { subject, untilMs: clock.now() + 10 }),
    );
    if (one?.kind !== 'principal' || two?.kind !== 'principal') throw new Error('neither was let in');
    expect(one.principal).toMatchObject({ grant: grant.id, subject: 'one' });
    expect(one.principal.id).not.toBe(two.principal.id);
    expect(store.judgeAgain(one.proof, 's1')).toEqual(one);
    clock.advance(10);
    expect(store.judgeAgain(one.proof, 's1')).toEqual({ kind: 'refused', why: 'expired' });
  });
});

describe('nobody can ask for', () => {
  const certificate = (caPem: string): NewWay => ({ kind: 'certificate', caPem });
  it.each<[string, () => NewWay, string]>([
    ['an authority that is none', () => certificate(aClient(root).cert), 'not one of an authority'],
    ['an authority below another one', () => certificate(anIssuer('Below', root).cert), 'signed by another authority'],
    ['several authorities', () => certificate(root.cert + anIssuer('Two').cert), 'several certificates'],
    ['an authority with its key', () => certificate(`${root.cert}${aClient(root).key}`), 'a private key'],
    ['an authority that is no certificate', () => certificate('hello'), 'no PEM certificate'],
    [
      'an authority of garbage',
      () => certificate('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'),
      'cannot be read',
    ],
    ['an authority without end', () => certificate('x'.repeat(maxAuthorityLength + 1)), 'caPem'],
    ['an issuer without TLS', () => ({ ...jwt, issuer: 'http://issuer.example' }), 'issuer'],
    ['an issuer with a password', () => ({ ...jwt, issuer: 'https://a:b@issuer.example' }), 'issuer'],
    ['an issuer with a query', () => ({ ...jwt, issuer: 'https://issuer.example/?x' }), 'issuer'],
    ['an issuer with a fragment', () => ({ ...jwt, issuer: 'https://issuer.example/#' }), 'issuer'],
    ['no audience', () => ({ ...jwt, audience: '' }), 'audience'],
    ['keys from a file', () => ({ ...jwt, jwks: 'file:///etc/passwd' }), 'jwks'],
    ['an expiry as a claim', () => ({ ...jwt, claims: { exp: '1' } }), 'claims'],
    [
      'claims without end',
      () => ({ ...jwt, claims: Object.fromEntries(Array.from({ length: maxClaims + 1 }, (_, n) => [`c${n}`, 'x'])) }),
      'claims',
    ],
    ['a way that there is not', () => ({ kind: 'password' }) as never, 'kind'],
  ])('%s', async (_what, way, why) => {
    const { store } = await aStore();
    await expect(store.addWay(wanted(), way())).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining(why),
    });
    expect(store.list()).toEqual([]);
  });
});
