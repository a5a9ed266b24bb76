// Runs a suite inside the real extension host, where `require('vscode')` is VS Code's own. A hang, a missing suite,
// a killed extension host and a suite of no tests each fail the run, with evidence kept as for any drive.
// CLI: node test/host/runInHost.mjs --extension DIR --suite FILE [--folder DIR] [--host older] [--name NAME]
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { asScript } from './asScript.mjs';
import { drive } from './browser.mjs';
import { parseHostName } from './hosts.mjs';
import { InHostResults } from './inHostResults.mjs';
import { startVscode } from './startVscode.mjs';
import { until } from './until.mjs';

// Between the extension host's end and the window's word about it, logs are collected.
const lastWordMs = 10_000;

/**
 * @typedef {object} InHostRun
 * @property {string} extensionDir the unpacked extension under development
 * @property {string} suite absolute path of a CommonJS module that exports `run(): Promise<void>`, see inHostSuite.mjs
 * @property {string} [folder] what the window opens; without it an empty folder of its own
 * @property {string} [name] of the run, for its evidence
 * @property {number} [timeoutMs] for the whole suite
 *
 * @param {InHostRun & import('./startVscode.mjs').StartOptions} options
 * @returns {Promise<InHostResults>} rejects, in one sentence, when anything but success can be said
 */
export async function runInHost({ extensionDir, suite, folder, name = 'in-host', timeoutMs = 180_000, ...options }) {
  const dir = await mkdtemp(join(tmpdir(), 'run-'));
  const resultsFile = join(dir, 'results.jsonl');
  const emptyFolder = join(dir, 'folder');
  await mkdir(emptyFolder);
  await writeFile(resultsFile, '');
  const env = { ...options.env, HOST_SUITE: suite, HOST_RESULTS: resultsFile };
  const vscode = await startVscode({ ...options, env, smokeTestDriver: true });
  try {
    return await drive(vscode, name, async (page, note) => {
      /** @type {number | undefined} */
      let exitCode;
      await page.exposeFunction('codeAutomationLog', (/** @type {string} */ type, /** @type {unknown[]} */ args) =>
        note(`host ${type}: ${args.join(' ')}`),
      );
      await page.exposeFunction('codeAutomationExit', (/** @type {number} */ code) => void (exitCode = code));
      await page.goto(windowUrl(vscode.url, folder ?? emptyFolder, extensionDir), { waitUntil: 'commit' });

      const read = () => InHostResults.read(resultsFile);
      const exited = () => exitCode !== undefined;
      const over = async () => exited() || !isAlive((await read()).pid);
      await until('the suite', over, timeoutMs).catch(async (cause) => {
        throw new Error(`no answer for ${timeoutMs / 1000} s${(await read()).during}`, { cause });
      });
      await until('the exit code', exited, lastWordMs).catch(async (cause) => {
        throw new Error(`the extension host was killed${(await read()).during}`, { cause });
      });
      const results = await read();
      const objection = results.objection(exitCode ?? -1);
      if (objection) throw new Error(objection);
      return results;
    });
  } finally {
    await vscode.close();
    await rm(dir, { recursive: true, force: true });
  }
}

/**
 * @param {string} url
 * @param {string} folder
 * @param {string} extensionDir
 */
function windowUrl(url, folder, extensionDir) {
  const address = new URL(url);
  const remote = (/** @type {string} */ path) => `vscode-remote://${address.host}${path}`;
  const payload = [
    ['extensionDevelopmentPath', remote(extensionDir)],
    ['extensionTestsPath', remote(join(import.meta.dirname, 'inHostEntry.cjs'))],
    ['skipWelcome', 'true'],
  ];
  address.searchParams.set('folder', folder);
  address.searchParams.set('payload', JSON.stringify(payload));
  return address.href;
}

/** A process that was not seen yet counts as alive. @param {number | undefined} pid */
function isAlive(pid) {
  if (pid === undefined) return true;
  try {
    return process.kill(pid, 0);
  } catch {
    return false; // ESRCH is the answer.
  }
}

await asScript(import.meta, async (args) => {
  const { values } = parseArgs({
    args,
    options: {
      extension: { type: 'string' },
      suite: { type: 'string' },
      folder: { type: 'string' },
      host: { type: 'string', default: 'current' },
      name: { type: 'string', default: 'in-host' },
    },
  });
  if (!values.extension || !values.suite) throw new Error('--extension DIR and --suite FILE are needed');
  const { tests } = await runInHost({
    extensionDir: resolve(values.extension),
    suite: resolve(values.suite),
    ...(values.folder && { folder: resolve(values.folder) }),
    host: parseHostName(values.host),
    name: values.name,
  });
  for (const { name, durationMs } of tests) console.log(`ok ${name} (${Math.round(durationMs)} ms)`);
  console.log(`${tests.length} passed, 0 failed`);
});
