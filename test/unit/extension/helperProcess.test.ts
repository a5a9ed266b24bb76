import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { maxHelperLineBytes, startHelperProcess } from '../../../src/extension/helperProcess.ts';

function start(code: string, env: NodeJS.ProcessEnv = process.env, runtime = process.execPath) {
  const dir = mkdtempSync(join(tmpdir(), 'helper-'));
  const script = join(dir, 'helper.js');
  writeFileSync(script, code);
  const log: string[] = [];
  const child = startHelperProcess({ runtime, script, env, onLog: (line) => log.push(line) });
  const received: string[] = [];
  child.port.onMessage((text) => received.push(text));
  onTestFinished(async () => {
    child.kill();
    await child.exited;
    rmSync(dir, { recursive: true });
  });
  return { child, log, received, dir };
}

it('carries lines both ways, logs stderr, and ends the helper by closing its stdin', async () => {
  const { child, log, received } = start(`
    process.stderr.write('ready\\n');
    process.stdin.on('data', (chunk) => process.stdout.write(chunk));
    process.stdin.on('end', () => process.exit(3));`);
  child.port.send('{"a":1}');
  child.port.send('{"b":"ü"}');
  await vi.waitFor(() => expect(received).toEqual(['{"a":1}', '{"b":"ü"}']));
  await vi.waitFor(() => expect(log).toEqual(['ready']));
  child.port.close();
  expect(await child.exited).toBe(3);
});

it('runs as Node inside Electron, without the editor’s NODE_OPTIONS, and not in the workspace’s folder', async () => {
  const env = { ...process.env, NODE_OPTIONS: '--require=/nowhere.js' };
  const { received, dir } = start(
    `const { ELECTRON_RUN_AS_NODE, NODE_OPTIONS } = process.env;
     console.log(JSON.stringify({ ELECTRON_RUN_AS_NODE, NODE_OPTIONS, cwd: process.cwd() }));`,
    env,
  );
  await vi.waitFor(() => expect(received).toHaveLength(1));
  expect(JSON.parse(received[0]!)).toEqual({ ELECTRON_RUN_AS_NODE: '1', cwd: dir });
});

it('says that the runtime could not be started, and closes', async () => {
  const { child, log } = start('', process.env, '/no/such/node');
  expect(await child.exited).toBeNull();
  expect(log.join()).toContain('/no/such/node could not be started');
  await new Promise<void>((closed) => child.port.onClose(closed));
});

it('drops a line that is too long and reads the next one', async () => {
  const { received, log } = start(
    `process.stdout.write('x'.repeat(${maxHelperLineBytes} + 1) + '\\n{"next":true}\\n');`,
  );
  await vi.waitFor(() => expect(received).toEqual(['{"next":true}']), { timeout: 9_000 });
  expect(log.join()).toContain('longer than');
});

it('kills a helper that reads nothing when too much waits for it', async () => {
  const { child } = start('setInterval(() => {}, 1000);');
  const megabyte = 'x'.repeat(1024 * 1024);
  for (let sent = 0; sent < 18; sent += 1) child.port.send(megabyte);
  expect(await child.exited).toBeNull();
});
