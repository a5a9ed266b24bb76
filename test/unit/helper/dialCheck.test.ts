import { describe, expect, it, onTestFinished } from 'vitest';
import { TunnelError } from '../../../src/core/errors.ts';
import { makeDialCheck, type DialCheck } from '../../../src/helper/dialCheck.ts';
import { PolicyStore } from '../../../src/policy/policyStore.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { MemoryFiles } from '../../support/memoryFiles.ts';

const pin = `sha256/${'A'.repeat(43)}=`;

async function checkOf(policy?: object): Promise<DialCheck> {
  const files = new MemoryFiles();
  if (policy) files.texts.set('/user', JSON.stringify({ version: 1, ...policy }));
  const store = new PolicyStore({
    files,
    clock: new FakeClock(),
    locations: { managed: '/managed', user: '/user', workspaces: [] },
  });
  onTestFinished(() => store.close());
  await store.load();
  return makeDialCheck(store);
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
