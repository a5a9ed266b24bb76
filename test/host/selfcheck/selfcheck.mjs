// The host checks itself: what a drive can reach, what a run in the extension host reports, and that each way to go
// wrong without a word does fail. Run: node --test test/host/selfcheck/selfcheck.mjs (VSCODE_HOST=older for the older)
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { drive, screenshot } from '../browser.mjs';
import { parseHostName } from '../hosts.mjs';
import { hostHome } from '../places.mjs';
import { runInHost } from '../runInHost.mjs';
import { startVscode } from '../startVscode.mjs';
import { until } from '../until.mjs';
import { enterText, notification, openWorkbench, pick, runCommand, trustFolder, webviewFrame } from '../workbench.mjs';
import { packVsix } from './packVsix.mjs';

const host = parseHostName(process.env.VSCODE_HOST ?? 'current');
const extensionDir = join(import.meta.dirname, 'extension');

describe('a window of the host', () => {
  /** @type {string} */
  let folder;
  /** @type {import('../startVscode.mjs').Vscode} */
  let vscode;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'selfcheck-'));
    const vsixDir = await mkdtemp(join(folder, 'vsix-'));
    await writeFile(join(folder, 'hello.txt'), 'hello');
    vscode = await startVscode({ host, extensionVsix: await packVsix(extensionDir, vsixDir), workspaceTrust: true });
  });

  after(async () => {
    await vscode?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('shows an installed extension: tree, quick pick, input box, notification, webview', async () => {
    const shots = await drive(vscode, 'selfcheck', async (page) => {
      await openWorkbench(page, vscode.url, folder);
      await trustFolder(page);

      await runCommand(page, '>Self-check: Greet');
      await pick(page, 'Good night');
      await enterText(page, 'Whom?', 'Ada');
      const toast = await notification(page, 'Good night, Ada');
      const withToast = await screenshot(page, 'selfcheck-notification');
      await toast.getByRole('button', { name: 'Thanks' }).click();
      await toast.waitFor({ state: 'detached' });

      await runCommand(page, 'Self-check: Open Panel', page.getByRole('tab', { name: 'Self-check panel' }));
      const panel = await webviewFrame(page, 'Self-check panel');
      await panel.getByRole('button', { name: 'Say' }).click();
      await panel.getByText('heard hello').waitFor();

      await page.getByRole('tab', { name: 'Self-check', exact: true }).click();
      await page.getByRole('treeitem', { name: 'alpha' }).waitFor();
      return [withToast, await screenshot(page, 'selfcheck-panel')];
    });
    for (const shot of shots) assert.ok(existsSync(shot), shot);
  });

  it('keeps the evidence of a drive that fails, and refuses other addresses', async () => {
    const failing = drive(vscode, 'selfcheck failing', async (page) => {
      await openWorkbench(page, vscode.url, folder);
      const answer = await page.evaluate(() => fetch('https://example.com/').catch((error) => String(error)));
      throw new Error(`on purpose: ${answer}`);
    });
    await assert.rejects(failing, /on purpose: TypeError: Failed to fetch\nevidence: /);
    const dir = join(hostHome, 'failures', 'selfcheck-failing');
    const kept = await readdir(dir);
    assert.deepEqual(kept.sort(), ['page-0.png', 'server.log', 'vscode-logs', 'window.log']);
    assert.match(await readFile(join(dir, 'window.log'), 'utf8'), /refused: https:\/\/example\.com\//);
    await rm(dir, { recursive: true });
  });
});

describe('a run in the extension host', () => {
  it('passes a suite that passes', async () => {
    const { tests } = await run('suite.cjs');
    assert.equal(tests.length, 2);
  });

  /** @type {[string, string, RegExp][]} */
  const failures = [
    ['a failing test', 'fails', /1 of 1 tests failed; the first is "misbehaves": Error: two is not three/],
    ['a test that hangs', 'hangs', /no answer for 20 s during "misbehaves"/],
    // VS Code reports exit code 0 for both, or nothing.
    [
      'a test that ends the process with exit code 0',
      'exits',
      /(never came to its end|was killed) during "misbehaves"/,
    ],
    ['a killed extension host', 'dies', /(never came to its end|was killed) during "misbehaves"/],
    ['a suite of no tests', 'none', /the suite ran no test/],
  ];
  for (const [what, name, message] of failures) {
    it(`fails on ${what}`, async () => {
      await assertFails(run('misbehaving.cjs', { SELFCHECK_CASE: name }, 20_000), message);
    });
  }

  it('fails on a missing suite', async () => {
    await assertFails(run('missing.cjs'), /the suite failed: Error: Cannot find module/);
  });
});

describe('closing the host', () => {
  it('leaves no process and no file', async () => {
    const vscode = await startVscode({ host });
    assert.ok((await vscode.processes()).length > 1);
    await vscode.close();
    assert.deepEqual(await vscode.processes(), []);
    assert.ok(!existsSync(vscode.userDataDir));
    await vscode.close();
  });

  it('happens by itself when the process that started it is killed', async () => {
    const script = `const { startVscode } = await import(${JSON.stringify(import.meta.resolve('../startVscode.mjs'))});
      const vscode = await startVscode(${JSON.stringify({ host })});
      console.log(JSON.stringify({ url: vscode.url, userDataDir: vscode.userDataDir }));`;
    const starter = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(starter.stdout, 'data');
    const { url, userDataDir } = JSON.parse(String(line));
    assert.equal((await fetch(url)).status, 200);
    starter.kill('SIGKILL');
    const refused = () =>
      fetch(url).then(
        () => false,
        () => true,
      );
    await until('the orphan to end', refused, 10_000);
    await rm(dirname(userDataDir), { recursive: true, force: true });
  });
});

/** A run that failed as it should leaves no evidence behind. @param {Promise<unknown>} run @param {RegExp} message */
async function assertFails(run, message) {
  await assert.rejects(run, message);
  await rm(join(hostHome, 'failures', 'selfcheck-run'), { recursive: true });
}

/**
 * @param {string} suite
 * @param {Record<string, string>} [env]
 * @param {number} [timeoutMs]
 */
function run(suite, env = {}, timeoutMs = 90_000) {
  return runInHost({
    extensionDir,
    suite: join(import.meta.dirname, suite),
    name: 'selfcheck run',
    env,
    timeoutMs,
    host,
  });
}
