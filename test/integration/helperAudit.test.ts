// What a helper tells its audit log besides calls, and what it tells its drivers of the log.
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readPublicKey } from '../../src/audit/signingKey.ts';
import { verifyHome } from '../../src/audit/verifyHome.ts';
import { auditHeadIntervalMs } from '../../src/helper/serveDriver.ts';
import { privateFiles } from '../../src/helper/privateFiles.ts';
import type { AuditHead } from '../../src/protocol/control.ts';
import { callHttp1 } from '../support/agents.ts';
import { mcpHeaders } from '../support/gateway.ts';
import { aHelper, type HelperWorld } from '../support/helper.ts';
import { until } from '../support/until.ts';

async function told(here: HelperWorld, kind: string): Promise<Record<string, unknown>[]> {
  return (await here.audit()).filter((record) => record['kind'] === kind);
}

async function verdictOf({ paths }: HelperWorld, kept: AuditHead): Promise<string> {
  const heads = new Map([[kept.chain, [{ seq: kept.count, hash: kept.hash }]]]);
  const publicKey = await readPublicKey(privateFiles, paths.auditKey);
  expect(kept.key).toBe(publicKey);
  const [verdict] = await verifyHome({ folder: paths.auditFolder, publicKey, heads });
  return verdict?.kind === 'broken' ? verdict.what : String(verdict?.kind);
}

describe('the audit log of a helper', () => {
  it('tells drivers its head, on request and when it has grown', async () => {
    const here = await aHelper();
    const heads: AuditHead[] = [];
    here.peer.on('audit/head', ({ head }) => void heads.push(head));
    expect(await here.peer.request('audit/head', {})).toEqual({ head: null });
    await here.open();
    const { head } = await here.peer.request('audit/head', {});
    expect(head).toMatchObject({ count: 3, hash: expect.stringMatching(/^[0-9a-f]{64}$/) as string });
    expect(heads.length).toBe(1); // The second one waits: a driver keeps it in a slow place.
    expect(auditHeadIntervalMs).toBeGreaterThanOrEqual(1_000);
    await here.host.stop();
    expect(await verdictOf(here, head!)).toBe('intact');
    expect(await verdictOf(here, heads[0]!)).toBe('intact');
    await writeFile(join(here.paths.auditFolder, head!.chain, '000001.jsonl'), '');
    expect(await verdictOf(here, head!)).toBe('cut');
  });

  it('judges its own log against heads that a driver kept, while it writes it', async () => {
    const here = await aHelper();
    await here.open();
    const { head } = await here.peer.request('audit/head', {});
    const { chain, count } = head!;
    const verify = async (heads: AuditHead[]) => (await here.peer.request('audit/verify', { heads })).chains;
    expect(await verify([head!])).toEqual([{ chain, records: count }]);
    const [cut] = await verify([{ ...head!, count: count + 1 }]);
    expect(cut?.problem).toContain(`record ${count + 1} is missing at the end`);
  });

  it('tells of tunnels with where they went, under which policy, and how long they were open', async () => {
    const here = await aHelper();
    const { tunnel } = await here.open();
    await here.peer.request('tunnel/close', { tunnel: tunnel.id });
    const common = { tunnel: tunnel.id, server: 'fixture', hostname: tunnel.hostname, destination: 'embedded' };
    const [opened, closed, ...others] = await told(here, 'tunnel');
    expect([opened, closed, others]).toMatchObject([
      { ...common, event: 'opened' },
      { ...common, event: 'closed' },
      [],
    ]);
    expect(opened).toMatchObject({ durationMs: expect.any(Number), policy: expect.stringMatching(/^\w{64}$/) });
    expect(closed!['durationMs']).toBeGreaterThanOrEqual(opened!['durationMs'] as number);
    const [grant] = await told(here, 'grant');
    expect(grant).toMatchObject({ event: 'added', name: 'tester', expiresMs: expect.any(Number) });
  });

  it('tells of tunnels that did not open, and why', async () => {
    const here = await aHelper();
    const transport = { kind: 'stdio', command: process.execPath, args: ['-e', 'process.exit(3)'], env: {}, cwd: '/' };
    const opening = here.open({ server: { inline: { name: 'broken', transport: transport as never } } });
    await expect(opening).rejects.toMatchObject({ code: 'UPSTREAM_START' });
    expect(await told(here, 'tunnel')).toMatchObject([{ event: 'failed', server: 'broken', why: 'UPSTREAM_START' }]);
  });

  it('tells what a policy file that cannot be read denied', async () => {
    const here = await aHelper();
    await here.writePolicy('{');
    await until(async () => (await told(here, 'policy')).some(({ event }) => event === 'invalid'));
    await expect(here.open()).rejects.toMatchObject({ code: 'POLICY_INVALID' });
    const [denied] = await told(here, 'denied');
    expect(denied).toMatchObject({ what: 'upstream', file: here.paths.userPolicy });
    expect(JSON.parse(String(denied?.['entry']))).toHaveProperty('stdio');
  });

  it('tells of every change of the policy, and of the tunnels that it ends', async () => {
    const here = await aHelper();
    await here.open();
    await here.writePolicy({ destinations: [] });
    await until(async () => (await told(here, 'tunnel')).length === 2);
    expect((await told(here, 'tunnel'))[1]).toMatchObject({ event: 'failed', why: 'DESTINATION_DENIED' });
    await here.writePolicy('{');
    await until(async () => (await told(here, 'policy')).length >= 3);
    const [changed, broken, invalid] = await told(here, 'policy');
    expect(changed).toMatchObject({ event: 'changed' });
    expect(changed!['sha256']).not.toBe(broken!['sha256']);
    expect(invalid).toMatchObject({ event: 'invalid', file: here.paths.userPolicy });
  });

  it('tells of strangers with their address and carrier, and of nothing they sent', async () => {
    const here = await aHelper();
    const { tunnel } = await here.open();
    const url = new URL(tunnel.loopbackUrl!);
    const target = { hostname: tunnel.hostname!, port: Number(url.port), ca: await caOf(tunnel.caFile!) };
    const answer = await callHttp1(target, { method: 'POST', path: '/mcp', headers: mcpHeaders('mcpt_guess') });
    expect(answer.status).toBe(401);
    expect(await told(here, 'refused')).toMatchObject([
      { tunnel: tunnel.id, carrier: 'embedded', visitor: expect.stringContaining('127.0.0.1'), why: 'malformed' },
    ]);
    expect(JSON.stringify(await here.audit())).not.toContain('mcpt_guess');
  });

  it('that cannot be written opens nothing: the disk is full', async () => {
    const first = await aHelper();
    await first.open();
    await first.host.stop();
    const chain = String((await told(first, 'started'))[0]!['chain']);
    const folder = join(first.paths.auditFolder, chain);
    await rm(folder, { recursive: true });
    await mkdir(folder);
    await symlink('/dev/full', join(folder, '000001.jsonl'));
    const here = await aHelper({ home: first.home });
    await expect(here.open()).rejects.toMatchObject({
      code: 'STATE_UNWRITABLE',
      message: expect.stringContaining('the disk is full') as string,
    });
    expect(here.tunnels()).toEqual([]);
  });
});

async function caOf(file: string): Promise<string> {
  return (await privateFiles.read(file)) ?? '';
}
