// The extension in a real VS Code: puts up the host, packages the extension, runs the suite inside the extension host
// and the drives through its window, and says what each did. What is tested is what is shipped: the .vsix.
// CLI: node test/host/main.mjs [part…]   (parts: suite, main-job, safety, recovery, edge, pairing, agents, discovery, preview, requests, holds; `electron` when named;
//      --host older; --keep-vsix to test the package of the last run)
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { build } from 'esbuild';
import { agents } from '../vscode/agents.drive.mjs';
import { discovery } from '../vscode/discovery.drive.mjs';
import { throughEdge } from '../vscode/edge.drive.mjs';
import { holds } from '../vscode/holds.drive.mjs';
import { mainJob } from '../vscode/mainJob.drive.mjs';
import { pairing } from '../vscode/pairing.drive.mjs';
import { preview } from '../vscode/preview.drive.mjs';
import { recovery } from '../vscode/recovery.drive.mjs';
import { requests } from '../vscode/requests.drive.mjs';
import { safety } from '../vscode/safety.drive.mjs';
import { asScript } from './asScript.mjs';
import { parseHostName } from './hosts.mjs';
import { installVscode } from './installVscode.mjs';
import { hostHome, repoRoot } from './places.mjs';
import { runInHost } from './runInHost.mjs';

const vsix = join(hostHome, 'mcp-tunnel.vsix');

/** @typedef {import('./hosts.mjs').HostName} HostName */
/** @type {Readonly<Record<string, (host: HostName) => Promise<void>>>} */
const parts = {
  suite: inHost,
  'main-job': (host) => mainJob(vsix, host),
  safety: (host) => safety(vsix, host),
  recovery: (host) => recovery(vsix, host),
  edge: (host) => throughEdge(vsix, host),
  pairing: (host) => pairing(vsix, host),
  agents: (host) => agents(vsix, host),
  discovery: (host) => discovery(vsix, host),
  preview: (host) => preview(vsix, host),
  requests: (host) => requests(vsix, host),
  holds: (host) => holds(vsix, host),
};
/** Needs Microsoft's download server and a display. */
const onDemand = { electron: inElectron };

await asScript(import.meta, async (args) => {
  const options = /** @type {const} */ ({
    host: { type: 'string', default: 'current' },
    'keep-vsix': { type: 'boolean', default: false },
  });
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  const host = parseHostName(values.host);
  const wanted = positionals.length > 0 ? positionals : Object.keys(parts);
  if (wanted.some((name) => name in parts)) await installVscode(host);
  if (!values['keep-vsix']) await packageExtension();
  for (const name of wanted) {
    const part = { ...parts, ...onDemand }[name];
    if (!part)
      throw new Error(`no part is called ${name}; there are: ${Object.keys({ ...parts, ...onDemand }).join(', ')}`);
    const startMs = performance.now();
    await part(host);
    console.log(`ok ${name} (${((performance.now() - startMs) / 1000).toFixed(1)} s)`);
  }
  console.log(`${wanted.length} passed, 0 failed; pictures in ${join(hostHome, 'screenshots')}`);
});

async function packageExtension() {
  await mkdir(hostHome, { recursive: true });
  const child = spawn('npm', ['run', '--silent', 'package', '--', '--out', vsix], {
    cwd: repoRoot,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`npm run package ended with exit code ${code}`);
}

/** The suite of `test/vscode/suite`, with the unpacked .vsix as the extension under development. @param {HostName} host */
async function inHost(host) {
  const { tests } = await runInHost({ ...(await suiteAndExtension()), name: 'in-host', host });
  for (const { name, durationMs } of tests) console.log(`  ok ${name} (${Math.round(durationMs)} ms)`);
}

/** The same suite in the desktop's VS Code, where that can be downloaded. */
async function inElectron() {
  const { extensionDir, suite } = await suiteAndExtension();
  const { runTests } = await import('@vscode/test-electron');
  await runTests({ extensionDevelopmentPath: extensionDir, extensionTestsPath: suite });
}

async function suiteAndExtension() {
  const dir = join(hostHome, 'in-host');
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  await promisify(execFile)('python3', ['-m', 'zipfile', '-e', vsix, join(dir, 'unpacked')]);
  const suite = join(dir, 'suite.cjs');
  await build({
    entryPoints: [join(repoRoot, 'test/vscode/suite/main.mjs')],
    outfile: suite,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    external: ['vscode'],
    logLevel: 'warning',
  });
  return { extensionDir: join(dir, 'unpacked', 'extension'), suite };
}
