// Tokens and codes that are not what they seem let nobody in, and what was used twice ends what it had opened.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { mintToken } from '../../src/identity/token.ts';
import { aHelper } from '../support/helper.ts';
import { anOAuthTunnel, call, pairSdkAgent, postForm, type PairedAgent } from '../support/oauth.ts';
import { challenge, codeFor, exchange, refresh, register, tunnelWorld } from '../support/oauthRaw.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/until.ts';

describe('a token', () => {
  it('that is not quite one is refused like none at all', async () => {
    const { tunnel } = await tunnelWorld();
    const agent = await pairSdkAgent(tunnel);
    const missing = await call(tunnel, undefined);
    const said = await missing.text();
    const changes: [string, (agent: PairedAgent) => string][] = [
      ['cut off', ({ access }) => access.slice(0, -1)],
      ['with a letter more', ({ access }) => `${access}0`],
      ['in other case', ({ access }) => access.toLowerCase()],
      ['made up', () => mintToken(randomBytes, 'mcpa_')],
      ['for renewing', ({ refresh }) => refresh],
      ['that is a code', ({ code }) => code],
      ['with another beginning', ({ access }) => access.replace('mcpa_', 'mcpt_')],
    ];
    for (const [what, change] of changes) {
      const refused = await call(tunnel, change(agent));
      expect([refused.status, await refused.text()], what).toEqual([401, said]);
      expect(refused.headers.get('www-authenticate')).toBe(missing.headers.get('www-authenticate'));
    }
    expect((await call(tunnel, agent.access)).status).toBe(200);
  });

  it('of one tunnel is refused by another, also to the same server, and cannot be renewed there', async () => {
    const { world, tunnel } = await tunnelWorld();
    const other = await anOAuthTunnel(world, { name: 'other-one' });
    expect(other.opened.tunnel.server.id).toBe(tunnel.opened.tunnel.server.id);
    const agent = await pairSdkAgent(tunnel);
    expect((await call(other, agent.access)).status).toBe(401);
    const clientId = agent.provider.client!.client_id;
    expect(await refresh(other, clientId, agent.refresh)).toMatchObject({ body: { error: 'invalid_client' } });
    const sameName = await register(other);
    expect(await refresh(other, sameName, agent.refresh)).toMatchObject({ body: { error: 'invalid_grant' } });
    expect((await call(tunnel, agent.access)).status).toBe(200);
  });

  it('is refused when the tunnel has come back at another address', async () => {
    const home = await temporaryFolder();
    const first = await aHelper({ home });
    const before = await anOAuthTunnel(first);
    const { access } = await pairSdkAgent(before);
    await first.host.stop();
    const occupied = createServer().listen(Number(new URL(before.url).port), '127.0.0.1');
    await once(occupied, 'listening');
    onTestFinished(() => void occupied.close());
    const after = await anOAuthTunnel(await aHelper({ home }));
    expect(after.url).not.toBe(before.url);
    expect((await call(after, access)).status).toBe(401);
  });

  it('in the address or in a form is no token', async () => {
    const { tunnel } = await tunnelWorld();
    const { access } = await pairSdkAgent(tunnel);
    const answer = await tunnel.fetch(`${tunnel.url}?access_token=${access}`, { method: 'POST', body: '{}' });
    expect(answer.status).toBe(401);
    await answer.body?.cancel();
  });

  it('for renewing that is used twice ends everything that was granted with it', async () => {
    const { world, tunnel } = await tunnelWorld();
    const agent = await pairSdkAgent(tunnel, { name: 'stolen from' });
    const clientId = agent.provider.client!.client_id;
    const first = await refresh(tunnel, clientId, agent.refresh);
    expect(first.status).toBe(200);
    expect(await refresh(tunnel, clientId, agent.refresh)).toMatchObject({
      status: 400,
      body: { error: 'invalid_grant' },
    });
    expect((await call(tunnel, first.body['access_token'] as string)).status).toBe(401);
    expect((await call(tunnel, agent.access)).status).toBe(401);
    expect((await refresh(tunnel, clientId, first.body['refresh_token'] as string)).status).toBe(400);
    await until(async () => {
      const { grants } = await world.peer.request('grants/list', {});
      return grants.find(({ name }) => name === 'stolen from')?.revokedMs !== undefined;
    });
  });

  it('for renewing, used twice at the same moment, works once at most', async () => {
    const { tunnel } = await tunnelWorld();
    const agent = await pairSdkAgent(tunnel);
    const clientId = agent.provider.client!.client_id;
    const answers = await Promise.all(Array.from({ length: 8 }, () => refresh(tunnel, clientId, agent.refresh)));
    const lucky = answers.filter(({ status }) => status === 200);
    expect(lucky.length).toBeLessThanOrEqual(1);
    for (const { body } of lucky) expect((await call(tunnel, body['access_token'] as string)).status).toBe(401);
  });

  it('for renewing is worth nothing to another client, and stays good', async () => {
    const { tunnel } = await tunnelWorld();
    const agent = await pairSdkAgent(tunnel);
    const thief = await register(tunnel);
    expect(await refresh(tunnel, thief, agent.refresh)).toMatchObject({
      status: 400,
      body: { error: 'invalid_grant' },
    });
    expect(
      (await postForm(tunnel, '/revoke', { token: agent.refresh, client_id: thief })).status,
      'the answer says nothing',
    ).toBe(200);
    expect((await refresh(tunnel, agent.provider.client!.client_id, agent.refresh)).status).toBe(200);
  });

  it('is made for this tunnel alone', async () => {
    const { tunnel } = await tunnelWorld();
    const agent = await pairSdkAgent(tunnel);
    const clientId = agent.provider.client!.client_id;
    const elsewhere = { resource: 'https://other.example/mcp' };
    expect(await refresh(tunnel, clientId, agent.refresh, elsewhere)).toMatchObject({
      body: { error: 'invalid_target' },
    });
  });
});

describe('a code', () => {
  it('is good once, and its second use ends what the first one got', async () => {
    const { tunnel } = await tunnelWorld();
    const clientId = await register(tunnel);
    const code = await codeFor(tunnel, clientId);
    const first = await exchange(tunnel, clientId, code);
    expect(first.status).toBe(200);
    expect(await exchange(tunnel, clientId, code)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
    expect((await call(tunnel, first.body['access_token'] as string)).status).toBe(401);
  });

  it('used twice at the same moment lets nobody in', async () => {
    const { tunnel } = await tunnelWorld();
    const clientId = await register(tunnel);
    const code = await codeFor(tunnel, clientId);
    const answers = await Promise.all(Array.from({ length: 8 }, () => exchange(tunnel, clientId, code)));
    const lucky = answers.filter(({ status }) => status === 200);
    expect(lucky.length).toBeLessThanOrEqual(1);
    for (const { body } of lucky) expect((await call(tunnel, body['access_token'] as string)).status).toBe(401);
  });

  it.each([
    ['without its verifier', { code_verifier: '' }],
    ['with another verifier', { code_verifier: 'w'.repeat(64) }],
    ['with the challenge as verifier', { code_verifier: challenge }],
    ['at another redirect address', { redirect_uri: 'http://127.0.0.1:43210/other' }],
    ['for another resource', { resource: 'https://other.example/mcp' }],
  ])('%s is worth nothing, and stays good for its owner', async (_what, change) => {
    const { tunnel } = await tunnelWorld();
    const clientId = await register(tunnel);
    const code = await codeFor(tunnel, clientId);
    const refused = await exchange(tunnel, clientId, code, change);
    expect(refused.status).toBe(400);
    if (!('resource' in change)) expect((await exchange(tunnel, clientId, code)).status).toBe(200);
  });

  it('is worth nothing to another client', async () => {
    const { tunnel } = await tunnelWorld();
    const clientId = await register(tunnel);
    const code = await codeFor(tunnel, clientId);
    expect(await exchange(tunnel, await register(tunnel), code)).toMatchObject({ body: { error: 'invalid_grant' } });
    expect((await exchange(tunnel, clientId, code)).status).toBe(200);
  });
});
