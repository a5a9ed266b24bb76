// `expose` whose server is started anew under a real client: by a signal, by a changed file, alone and shared.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { exposeEverything, runCommand } from '../support/command.ts';
import { connectSdkAgent } from '../support/sdkAgent.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/until.ts';

async function echoes(client: Awaited<ReturnType<typeof connectSdkAgent>>['client'], message: string): Promise<void> {
  const answer = await client.callTool({ name: 'echo', arguments: { message } });
  expect(JSON.stringify(answer.content)).toContain(`Echo: ${message}`);
}

describe('expose, while its server is started anew', () => {
  it.each([[[]], [['--isolation', 'shared']]])('keeps its clients in when it gets SIGUSR2 (%j)', async (options) => {
    const { command, ready } = await exposeEverything(await temporaryFolder(), options);
    const agents = [await connectSdkAgent(ready), await connectSdkAgent(ready)];
    for (const { client } of agents) await echoes(client, 'before');
    command.child.kill('SIGUSR2');
    await until(() => command.stderr.includes('the server is started anew: a person asked for it'));
    for (const { client } of agents) await echoes(client, 'after');
  });

  it('keeps its client in when a watched file changes', async () => {
    const home = await temporaryFolder();
    await mkdir(join(home, 'dist'));
    const { command, ready } = await exposeEverything(home, ['--watch', 'dist']);
    const { client } = await connectSdkAgent(ready);
    await echoes(client, 'before');
    await writeFile(join(home, 'dist', 'server.js'), 'rebuilt');
    await until(() => command.stderr.includes('dist/server.js changed'));
    await echoes(client, 'after');
  });

  it('says what it cannot do', async () => {
    const home = await temporaryFolder();
    const wrong = await runCommand(['expose', '--isolation', 'some', '--', 'true'], { home });
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('--isolation is perSession or shared')]);
    const url = await runCommand(['expose', '--watch', 'dist', '--url', 'http://127.0.0.1:9/mcp'], { home });
    expect([url.code, url.stderr]).toEqual([
      2,
      expect.stringContaining('only a command that the tunnel runs is watched'),
    ]);
  });
});
