import { describe, expect, it } from 'vitest';
import { maxOf, maxPerGrant, OAuthState, type OAuthStateOptions } from '../../../../src/identity/oauth/oauthState.ts';
import { maxRecords, maxTunnels, parseOAuthFile, withTunnel } from '../../../../src/identity/oauth/oauthStateFile.ts';
import { FakeClock } from '../../../support/fakeClock.ts';
import { MemoryFiles } from '../../../support/memoryFiles.ts';

const path = '/home/oauth.json';

type World = {
  clock: FakeClock;
  files: MemoryFiles;
  state: OAuthState;
  grants: Map<string, 'alive' | 'ended' | 'unknown'>;
  pending: Set<string>;
  /** The same tunnel after a restart of the helper. */
  restarted: (more?: Partial<OAuthStateOptions>) => Promise<OAuthState>;
};

function world(): World {
  const clock = new FakeClock();
  const files = new MemoryFiles();
  const grants = new Map<string, 'alive' | 'ended' | 'unknown'>([['g1', 'alive']]);
  const pending = new Set<string>();
  const options: OAuthStateOptions = {
    files,
    path,
    instance: 'i1',
    clock,
    stateOf: (grant) => grants.get(grant) ?? 'ended',
    isPending: (id) => pending.has(id),
  };
  const restarted: World['restarted'] = async (more) => {
    const state = new OAuthState({ ...options, ...more });
    await state.load();
    return state;
  };
  return { clock, files, state: new OAuthState(options), grants, pending, restarted };
}

const text = 'mcpa_secret-of-the-agent';

describe('what was granted', () => {
  it('outlives the helper, without any token in the file', async () => {
    const { state, files, restarted } = world();
    await state.put('Client', 'c1', { client_id: 'c1', client_name: 'Claude' });
    await state.put('Grant', 'g1', { jti: 'g1', clientId: 'c1' }, 3_600);
    await state.put('AccessToken', text, { jti: text, grantId: 'g1', aud: 'https://a/mcp' }, 900);
    await state.put('RefreshToken', 'mcpr_x', { jti: 'mcpr_x', grantId: 'g1' }, 3_600);
    const written = files.texts.get(path) ?? '';
    expect(written).not.toContain(text);
    expect(written).not.toContain('mcpr_x');

    const again = await restarted();
    expect(again.find('AccessToken', text)).toEqual({ jti: text, grantId: 'g1', aud: 'https://a/mcp' });
    expect(again.find('RefreshToken', 'mcpr_x')).toEqual({ jti: 'mcpr_x', grantId: 'g1' });
    expect(again.find('Grant', 'g1')).toEqual({ jti: 'g1', clientId: 'c1' });
    expect(again.find('Client', 'c1')).toMatchObject({ client_name: 'Claude' });
    expect(again.find('AccessToken', `${text}x`)).toBeUndefined();
  });

  it('is another tunnel’s business only there', async () => {
    const { state, restarted } = world();
    await state.put('AccessToken', text, { grantId: 'g1' }, 900);
    const other = await restarted({ instance: 'i2' });
    expect(other.find('AccessToken', text)).toBeUndefined();
    await other.put('AccessToken', 'mcpa_2', { grantId: 'g1' }, 900);
    const first = await restarted();
    expect([first.find('AccessToken', text), first.find('AccessToken', 'mcpa_2')]).toEqual([
      expect.anything(),
      undefined,
    ]);
  });

  it('ends with its time', async () => {
    const { state, clock, restarted } = world();
    await state.put('AccessToken', text, { grantId: 'g1' }, 900);
    clock.advance(899_999);
    expect(state.find('AccessToken', text)).toBeDefined();
    clock.advance(1);
    expect(state.find('AccessToken', text)).toBeUndefined();
    expect((await restarted()).find('AccessToken', text)).toBeUndefined();
  });

  it('ends with the grant, and is forgotten', async () => {
    const { state, grants, files } = world();
    await state.put('AccessToken', text, { grantId: 'g1' }, 900);
    grants.set('g1', 'ended');
    expect(state.find('AccessToken', text)).toBeUndefined();
    grants.set('g2', 'alive');
    await state.put('AccessToken', 'mcpa_2', { grantId: 'g2' }, 900);
    expect(files.texts.get(path)).not.toContain('"g1"');
  });

  it('lets nobody in while the grants cannot be read, and is there again afterwards', async () => {
    const { state, grants } = world();
    await state.put('AccessToken', text, { grantId: 'g1' }, 900);
    grants.set('g1', 'unknown');
    expect(state.find('AccessToken', text)).toBeUndefined();
    await state.put('RefreshToken', 'mcpr_x', { grantId: 'g1' }, 900);
    grants.set('g1', 'alive');
    expect(state.find('AccessToken', text)).toBeDefined();
  });

  it('goes all at once', async () => {
    const { state, grants, files } = world();
    grants.set('g2', 'alive');
    await state.put('Grant', 'g1', { jti: 'g1', clientId: 'c1' }, 900);
    await state.put('AccessToken', text, { grantId: 'g1' }, 900);
    await state.put('AuthorizationCode', 'code', { grantId: 'g1' }, 60);
    await state.put('AccessToken', 'mcpa_2', { grantId: 'g2' }, 900);
    await state.removeGrant('g1');
    expect(state.find('Grant', 'g1')).toBeUndefined();
    expect(state.find('AccessToken', text)).toBeUndefined();
    expect(state.find('AuthorizationCode', 'code')).toBeUndefined();
    expect(state.find('AccessToken', 'mcpa_2')).toBeDefined();
    expect(files.texts.get(path)).not.toContain('"g1"');
  });

  it('is used once, also by two at the same moment and after a restart', async () => {
    const { state, restarted } = world();
    await state.put('RefreshToken', 'mcpr_x', { grantId: 'g1' }, 900);
    expect(
      await Promise.all([state.consume('RefreshToken', 'mcpr_x'), state.consume('RefreshToken', 'mcpr_x')]),
    ).toEqual([true, false]);
    const again = await restarted();
    expect(again.find('RefreshToken', 'mcpr_x')).toMatchObject({ consumed: expect.any(Number) as number });
    expect(await again.consume('RefreshToken', 'mcpr_x')).toBe(false);
    expect(await again.consume('RefreshToken', 'never')).toBe(false);
  });

  it('is not there before it is written down', async () => {
    const { state, files } = world();
    files.update = () => Promise.reject(new Error('no space left'));
    await expect(state.put('AccessToken', text, { grantId: 'g1' }, 900)).rejects.toThrow('no space left');
    delete (files as Partial<MemoryFiles>).update;
    await state.put('AccessToken', 'mcpa_2', { grantId: 'g1' }, 900);
    expect(files.texts.get(path)).toContain('AccessToken');
  });
});

describe('what strangers can cause', () => {
  it('is never written', async () => {
    const { state, files } = world();
    await state.put('Client', 'c1', { client_id: 'c1' });
    await state.put('Session', 's1', { uid: 'u1' }, 600);
    await state.put('Interaction', 'x1', { params: { client_id: 'c1' } }, 600);
    await state.put('AuthorizationCode', 'code', { grantId: 'g1' }, 60);
    expect(files.writes).toBe(0);
    expect(state.findSession('u1')).toEqual({ uid: 'u1' });
    expect(state.findSession('u2')).toBeUndefined();
    expect(state.find('AuthorizationCode', 'code')).toMatchObject({ jti: 'code' });
  });

  it('pushes out neither who was let in nor who waits', async () => {
    const { state, pending } = world();
    await state.put('Client', 'granted', { client_id: 'granted' });
    await state.put('Grant', 'g1', { jti: 'g1', clientId: 'granted' }, 3_600);
    await state.put('Client', 'asking', { client_id: 'asking' });
    await state.put('Interaction', 'waits', { params: { client_id: 'asking' } }, 600);
    pending.add('waits');
    for (let at = 0; at < 2 * maxOf.Client; at += 1) {
      await state.put('Client', `flood-${at}`, { client_id: `flood-${at}` });
      await state.put('Interaction', `flood-${at}`, { params: { client_id: `flood-${at}` } }, 600);
    }
    for (const id of ['granted', 'asking', `flood-${2 * maxOf.Client - 1}`]) {
      expect(state.find('Client', id), id).toBeDefined();
    }
    expect(state.find('Interaction', 'waits')).toBeDefined();
    expect(state.find('Client', 'flood-0')).toBeUndefined();
    expect(state.find('Interaction', 'flood-0')).toBeUndefined();
  });
});

describe('a busy agent', () => {
  it('pushes out its own tokens, not those of another', async () => {
    const { state, grants } = world();
    grants.set('g2', 'alive');
    await state.put('RefreshToken', 'other', { grantId: 'g2' }, 900);
    const bound = maxPerGrant.RefreshToken ?? 0;
    for (let at = 0; at <= bound; at += 1) await state.put('RefreshToken', `t${at}`, { grantId: 'g1' }, 900);
    expect(state.find('RefreshToken', 't0')).toBeUndefined();
    expect(state.find('RefreshToken', 't1')).toBeDefined();
    expect(state.find('RefreshToken', `t${bound}`)).toBeDefined();
    expect(state.find('RefreshToken', 'other')).toBeDefined();
  });

  it('never fills more than the file may hold', () => {
    const perTunnel = maxOf.Grant * (2 + (maxPerGrant.AccessToken ?? 0) + (maxPerGrant.RefreshToken ?? 0));
    expect(perTunnel).toBeLessThanOrEqual(maxRecords);
  });
});

describe('the file', () => {
  const tunnel = (instance: string) => ({
    instance,
    usedMs: 1,
    records: [{ model: 'Grant' as const, key: 'g', payload: {} }],
  });

  it('keeps a bounded number of tunnels, and none that hold nothing', () => {
    let text: string | undefined;
    for (let at = 0; at <= maxTunnels; at += 1) text = withTunnel(text, path, tunnel(`i${at}`));
    const instances = (): string[] => parseOAuthFile(text, path).map(({ instance }) => instance);
    expect(instances()).toHaveLength(maxTunnels);
    expect(instances()).not.toContain('i0');
    text = withTunnel(text, path, { ...tunnel('i5'), records: [] });
    expect(instances()).not.toContain('i5');
  });

  it.each(['', '{', '[]', '{"version":2,"tunnels":[]}', '{"version":1,"tunnels":[{"instance":""}]}'])(
    'that says %j is named, with what to do about it',
    (text) => {
      expect(() => parseOAuthFile(text, path)).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(path) as string }) as Error,
      );
    },
  );
});
