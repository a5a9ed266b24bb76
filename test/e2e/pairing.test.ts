// The built command on a real terminal: a key opens pairing, an agent that was given nothing but the URL asks, the
// person at the terminal answers, and the agent calls.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { auth } from '@modelcontextprotocol/sdk/client/auth.js';
import { Agent, fetch as undiciFetch } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Browser, call, globalFetch, numberOn, SdkProvider, type OAuthTunnel } from '../support/oauth.ts';
import { fixtureServer } from '../support/stdioWorld.ts';
import { until } from '../support/until.ts';

/** `expose --oauth` with a terminal of its own (util-linux' `script`), typed into by the test. */
async function onTerminal(): Promise<{
  tunnel: OAuthTunnel;
  type: (keys: string) => void;
  screen: () => string;
  ended: Promise<number | null>;
}> {
  const home = await mkdtemp(join(tmpdir(), 'mcpt-'));
  const events = join(home, 'events');
  const quoted = [
    process.execPath,
    resolve('dist/cli.js'),
    'expose',
    '--oauth',
    '--json',
    '--',
    process.execPath,
    fixtureServer,
  ];
  const command = `stty cols 100 rows 40; ${quoted.map((word) => `'${word}'`).join(' ')} >'${events}'`;
  const child = spawn('script', ['-qfec', command, '/dev/null'], {
    env: { ...process.env, MCP_TUNNEL_HOME: join(home, 'home'), TERM: 'xterm' },
  });
  const ended = new Promise<number | null>((settle) => child.once('close', settle));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
    await rm(home, { recursive: true });
  });
  let screen = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (screen += text));
  await until(
    async () => (await readFile(events, 'utf8').catch(() => '')).includes('\n'),
    30_000,
    () => screen,
  );
  const [ready = ''] = (await readFile(events, 'utf8')).split('\n');
  const {
    loopbackUrl: url,
    caFile,
    tunnel: id,
  } = JSON.parse(ready) as Record<'loopbackUrl' | 'caFile' | 'tunnel', string>;
  const dispatcher = new Agent({ connect: { ca: await readFile(caFile, 'utf8') } });
  onTestFinished(() => dispatcher.destroy());
  const fetch: OAuthTunnel['fetch'] = (to, init) => undiciFetch(to, { redirect: 'manual', ...init, dispatcher });
  const tunnel = { id, url, origin: new URL(url).origin, fetch } as OAuthTunnel;
  return { tunnel, type: (keys) => void child.stdin.write(keys), screen: () => screen, ended };
}

describe('expose --oauth', () => {
  it('lets an agent in that the person at the terminal says yes to', async () => {
    const { tunnel, type, screen, ended } = await onTerminal();
    const shown = (text: string): Promise<void> => until(() => screen().includes(text), 20_000, screen);
    const provider = new SdkProvider({ client_name: 'An agent' });
    await auth(provider, { serverUrl: tunnel.url, fetchFn: globalFetch(tunnel) });
    await shown('Press p');
    const browser = new Browser(tunnel);
    expect((await browser.go(provider.sentTo!)).status).toBe(403);

    type('p');
    await shown('five minutes');
    const waiting = await browser.go(provider.sentTo!);
    await shown('What may it do?');
    expect(screen()).toContain('An agent');
    type('\r');
    await shown('For how long?');
    type('\r');
    await shown('The number that the browser shows');
    type(`${numberOn(waiting.html)}\r`);
    await shown('it was let in'); // The browser has not been told yet: its next look does that.
    const { left } = await browser.go(waiting.url);
    const authorizationCode = left?.searchParams.get('code') ?? '';
    const iss = left?.searchParams.get('iss') ?? '';
    await auth(provider, { serverUrl: tunnel.url, authorizationCode, iss, fetchFn: globalFetch(tunnel) } as never);
    expect((await call(tunnel, provider.kept?.access_token)).status).toBe(200);

    type('\u0003');
    expect(await ended).toBe(130);
  });
});
