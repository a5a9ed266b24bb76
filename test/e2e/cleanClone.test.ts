// What the README promises a stranger: a fresh clone, and its first command.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../support/command.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

it('starts from a clean clone with the README’s first command', { timeout: 600_000 }, async () => {
  const folder = await temporaryFolder();
  const clone = join(folder, 'clone');
  await run('git', ['clone', '--quiet', '--depth', '1', `file://${root}`, clone], folder);
  await run('npm', ['ci', '--prefer-offline', '--no-progress'], clone);
  const { stdout } = await run('npm', ['start', '--', '--once'], clone);
  expect(stdout).toContain('exit code 3');
  const { stdout: version } = await run('./dist/cli.js', ['--version'], clone); // As `npm link` calls it.
  expect(version).toMatch(/^\d+\.\d+\.\d+\n$/);
  const { stdout: changed } = await run('git', ['status', '--porcelain'], clone);
  expect(changed).toBe('');
});

function run(command: string, args: readonly string[], cwd: string): Promise<{ stdout: string }> {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(npm_|VITEST|NODE_ENV)/i.test(name)),
  );
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve({ stdout });
      else
        reject(
          new Error(
            `${command} ${args.join(' ')} ended with ${code}\n${stdout.slice(-3_000)}\n${stderr.slice(-3_000)}`,
          ),
        );
    });
  });
}
