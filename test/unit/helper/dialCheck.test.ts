import { describe, expect, it, onTestFinished } from 'vitest';
import { TunnelError } from '../../../src/core/errors.ts';
import { makeDialCheck, type DialCheck } from '../../../src/helper/dialCheck.ts';
import type { ServerTransport } from '../../../src/core/server.ts';
import type { ProxyFor } from '../../../src/tunnel/edgeDoor.ts';
import { PolicyStore } from '../../../src/policy/policyStore.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { MemoryFiles } from '../../support/memoryFiles.ts';

const pin = `sha256/${'A'.repeat(43)}=`;

async function checkOf(policy?: object, proxyFor?: ProxyFor): Promise<DialCheck> {
  const files = new MemoryFiles();
  if (policy) files.texts.set('/user', JSON.stringify({ version: 1, ...policy }));
  const store = new PolicyStore({
    files,
    clock: new FakeClock(),
    locations: { managed: '/managed', user: '/user', workspaces: [] },
  });
  onTestFinished(() => store.close());
  await store.load();
  return makeDialCheck(store, proxyFor ? { proxyFor } : {});
}

function refusal(attempt: () => void): TunnelError | undefined {
  try {
    attempt();
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(TunnelError);
    return error as TunnelError;
  }
}

const edge = { carrier: 'edge', host: 'edge.example:443' } as const;

describe('destinations', () => {
  it('without a policy are this machine alone, and a refusal says which file lacks which entry', async () => {
    const check = await checkOf();
    expect(refusal(() => check.mayOpen({ carrier: 'embedded' }))).toBeUndefined();
    const error = refusal(() => check.mayOpen(edge));
    expect(error?.code).toBe('DESTINATION_DENIED');
    expect(error?.data).toEqual({ file: '/user', entry: JSON.stringify(edge), mayAllow: true });
    expect(check.denied(edge)).toEqual({ reason: error?.message, ...error?.data });
    expect(check.denied({ carrier: 'embedded' })).toBeUndefined();
  });

  it('that are pinned may be begun, but are dialled with that pin alone', async () => {
    const check = await checkOf({ destinations: [{ carrier: 'edge', host: 'edge.example', pin }] });
    expect(refusal(() => check.mayOpen(edge))).toBeUndefined();
    expect(check.denied(edge)).toBeUndefined();
    expect(refusal(() => check.mayDial({ ...edge, pin }))).toBeUndefined();
    expect(refusal(() => check.mayDial(edge))?.code).toBe('DESTINATION_DENIED');
    expect(refusal(() => check.mayDial({ ...edge, pin: pin.replace('A', 'B') }))?.code).toBe('DESTINATION_DENIED');
  });
});

describe('servers', () => {
  const stdio = (command: string, ...args: string[]) => ({ kind: 'stdio', command, args, env: {}, cwd: '/' }) as const;
  const http = (url: string) => ({ kind: 'http', url, headers: {} }) as const;

  it('on loopback and commands may run without a policy, others may not', async () => {
    const check = await checkOf();
    for (const transport of [stdio('node', 'x'), http('http://127.0.0.1:3000/mcp'), http('http://[::1]/mcp')]) {
      expect(
        refusal(() => check.mayRun(transport)),
        JSON.stringify(transport),
      ).toBeUndefined();
    }
    for (const url of ['http://10.0.0.1/mcp', 'https://example.com/mcp', 'http://169.254.169.254/']) {
      expect(refusal(() => check.mayRun(http(url)))?.code, url).toBe('UPSTREAM_DENIED');
    }
  });

  it('are judged by the port that will be dialled, named or not', async () => {
    const check = await checkOf({ upstreams: [{ http: '127.0.0.1:80' }, { http: '127.0.0.1:443' }] });
    expect(refusal(() => check.mayRun(http('http://127.0.0.1/mcp')))).toBeUndefined();
    expect(refusal(() => check.mayRun(http('https://127.0.0.1/mcp')))).toBeUndefined();
    expect(refusal(() => check.mayRun(http('http://127.0.0.1:3000/mcp')))?.code).toBe('UPSTREAM_DENIED');
    expect(refusal(() => check.mayRun(http('http://127.0.0.1@10.0.0.1:80/mcp')))?.code).toBe('UPSTREAM_DENIED');
  });

  it('that run a command are judged by the whole command line', async () => {
    const check = await checkOf({ upstreams: [{ stdio: 'node server.js*' }] });
    expect(refusal(() => check.mayRun(stdio('node', 'server.js', '--x')))).toBeUndefined();
    const error = refusal(() => check.mayRun(stdio('node', 'other.js')));
    expect([error?.code, error?.data?.['entry']]).toEqual(['UPSTREAM_DENIED', '{"stdio":"node other.js"}']);
  });

  it.each(['', 'nonsense', 'http://', '127.0.0.1:3000'])('at “%s” are refused with a sentence', async (url) => {
    const check = await checkOf();
    expect(['USAGE', 'UPSTREAM_DENIED']).toContain(refusal(() => check.mayRun(http(url)))?.code);
  });
});

describe('a proxy on the way to an edge', () => {
  const proxyFor: ProxyFor = ([name]) =>
    name === 'connect.edge.example'
      ? { host: 'proxy.corp', port: 3128, isTls: false, credentials: 'u:s3cret' }
      : undefined;
  const asked = { service: 'proxy', host: 'proxy.corp:3128' };

  it('is demanded as a destination of its own, after the edge', async () => {
    const closed = await checkOf({ destinations: [asked] }, proxyFor);
    expect(refusal(() => closed.mayOpen(edge))?.data).toMatchObject({ entry: JSON.stringify(edge) });
    const half = await checkOf({ destinations: [edge] }, proxyFor);
    const error = refusal(() => half.mayOpen(edge));
    expect(error).toMatchObject({ code: 'DESTINATION_DENIED', data: { entry: JSON.stringify(asked), mayAllow: true } });
    expect(JSON.stringify([error?.message, error?.data])).not.toContain('s3cret');
    expect(half.denied(edge)).toMatchObject({ entry: JSON.stringify(asked), mayAllow: true });
    expect(refusal(() => half.mayDial(asked))?.code).toBe('DESTINATION_DENIED');
    const open = await checkOf({ destinations: [edge, asked] }, proxyFor);
    expect(refusal(() => open.mayOpen(edge))).toBeUndefined();
    expect(refusal(() => open.mayDial(asked))).toBeUndefined();
  });

  it('does not concern what is dialled straight, nor this machine', async () => {
    const check = await checkOf(
      { destinations: [{ carrier: 'edge', host: '*:*' }, { carrier: 'embedded' }] },
      proxyFor,
    );
    expect(refusal(() => check.mayOpen({ carrier: 'embedded' }))).toBeUndefined();
    expect(refusal(() => check.mayOpen({ carrier: 'edge', host: 'other.example:443' }))).toBeUndefined();
  });

  it('whose setting cannot be read is told when it is used, and hides no list', async () => {
    const check = await checkOf({ destinations: [edge] }, () => {
      throw new TunnelError('CONFIG_INVALID', 'HTTPS_PROXY is no URL');
    });
    expect(check.denied(edge)).toBeUndefined();
    expect(refusal(() => check.mayOpen(edge))?.code).toBe('CONFIG_INVALID');
  });
});

describe('a refusal to run a command', () => {
  it('does not show what is secret in it, and its entry would still let it run', async () => {
    const transport: ServerTransport = {
      kind: 'stdio',
      command: 'x',
      args: ['--token', 'abcdefgh12345', 'rest'],
      env: {},
      cwd: '/',
    };
    const check = await checkOf({ upstreams: [{ stdio: 'other' }] });
    const error = refusal(() => check.mayRun(transport));
    expect(error?.data).toMatchObject({ entry: '{"stdio":"x --token * rest"}' });
    expect(JSON.stringify([error?.message, error?.data])).not.toContain('abcdefgh');
    const entry = (error?.data as { entry: string } | undefined)?.entry ?? '';
    const allowed = await checkOf({ upstreams: [JSON.parse(entry)] });
    expect(refusal(() => allowed.mayRun(transport))).toBeUndefined();
  });
});
