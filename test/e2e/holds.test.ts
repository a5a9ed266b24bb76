// The built command holds calls: on a terminal of its own a person answers, and without one they are denied at once.
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { root } from '../support/command.ts';
import { bothErasCommand } from '../support/bothEras.ts';
import { expose } from '../support/exposed.ts';
import { connectSdkAgent } from '../support/sdkAgent.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/until.ts';

const tool = 'test_simple_text';

it('a call that is held continues when a person at the terminal says so', async () => {
  const home = await temporaryFolder();
  const events = join(home, 'events');
  const words = ['expose', '--json', '--ask', 'test_*', '--', ...bothErasCommand()];
  const quoted = [process.execPath, join(root, 'dist/cli.js'), ...words].map((word) => `'${word}'`).join(' ');
  const child = spawn('script', ['-qfec', `stty cols 100 rows 40; ${quoted} >'${events}'`, '/dev/null'], {
    env: { ...process.env, MCP_TUNNEL_HOME: join(home, 'state'), TERM: 'xterm' },
  });
  const ended = new Promise((settle) => child.once('close', settle));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let screen = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (screen += text));
  const lines = async (): Promise<Record<string, string>[]> =>
    (await readFile(events, 'utf8').catch(() => ''))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, string>);
  await until(
    async () => (await lines()).length > 0,
    30_000,
    () => screen,
  );
  const [{ loopbackUrl: url = '', caFile = '', token = '' } = {}] = await lines();
  const { client, close } = await connectSdkAgent({ url, caFile, token });
  const call = () => client.callTool({ name: tool, arguments: {} }).catch((error: unknown) => String(error));

  const continued = call();
  await until(() => screen.includes('What becomes of it?'));
  expect((await lines()).at(-1)).toMatchObject({ event: 'call-held', tool, rule: 'breakpoint tool test_*' });
  child.stdin.write('\r');
  expect(JSON.stringify(await continued)).toContain('simple text');

  screen = '';
  const denied = call();
  await until(() => screen.includes('What becomes of it?'));
  child.stdin.write('\u001b');
  expect(await denied).toContain('the developer denied this call');
  await close();
  child.stdin.write('\u0003');
  await ended;
});

it('without a terminal it is denied at once, with the reason', async () => {
  const { ready } = await expose(['--ask', 'test_*', '--', ...bothErasCommand()]);
  const { client, close } = await connectSdkAgent({ url: ready.loopbackUrl, token: ready.token, caFile: ready.caFile });
  const denied = client.callTool({ name: tool, arguments: {} });
  await expect(denied).rejects.toThrow('nobody is there who could');
  await close();
});
