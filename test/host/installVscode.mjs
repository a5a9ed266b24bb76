// Installs a real VS Code for the tests, from npm and Debian alone, into `.vscode-test/host-<version>`.
// What is there is complete: a host is built beside its place, stamped with its versions, and renamed into it.
// CLI: node test/host/installVscode.mjs [current|older]
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { asScript } from './asScript.mjs';
import { ensureDebianPackages, hostPackages } from './debian.mjs';
import { exclusively } from './exclusively.mjs';
import { hosts, nodeGypVersion, parseHostName, playwrightVersion } from './hosts.mjs';
import { InstallSteps } from './installSteps.mjs';
import { onPath } from './onPath.mjs';
import { hostHome } from './places.mjs';

/**
 * @typedef {object} InstalledHost
 * @property {import('./hosts.mjs').Host} host
 * @property {string} dir
 * @property {string} node path of the host's own Node
 * @property {string} codeServer path of the script that this Node runs
 * @property {string} playwright path of playwright-core's ES module
 */

/**
 * Answers in milliseconds when the host is there; otherwise installs it, or waits for the process that does.
 * @param {import('./hosts.mjs').HostName} [name]
 * @returns {Promise<InstalledHost>}
 */
export async function installVscode(name = 'current') {
  const host = hosts[name];
  await ensureDebianPackages([...hostPackages, ...host.debian]);
  const dir = join(hostHome, `host-${host.codeServer}`);
  const { codeServer, node, natives } = host;
  const stamp = JSON.stringify({ codeServer, node, natives, playwrightVersion, nodeGypVersion, arch: process.arch });
  if (!(await isStamped(dir, stamp))) {
    await exclusively(`${dir}.lock`, async () => {
      if (!(await isStamped(dir, stamp))) await install(host, dir, stamp);
    });
  }
  const modules = join(dir, 'node_modules');
  return {
    host,
    dir,
    node: nodeBinary(modules),
    codeServer: join(modules, 'code-server/out/node/entry.js'),
    playwright: join(modules, 'playwright-core/index.mjs'),
  };
}

/**
 * @param {import('./hosts.mjs').Host} host
 * @param {string} dir
 * @param {string} stamp
 */
async function install(host, dir, stamp) {
  await removeUnfinished(dir);
  const temp = `${dir}.installing-${process.pid}`;
  await mkdir(temp);
  await writeFile(join(temp, 'package.json'), JSON.stringify({ private: true }));
  const steps = new InstallSteps(join(temp, 'install.log'));
  const modules = join(temp, 'node_modules');
  const vscode = join(modules, 'code-server/lib/vscode');

  console.error(`host: installing VS Code ${host.vscode} into ${dir}, about a minute`);
  await steps.npm(`code-server ${host.codeServer}`, temp, [
    `code-server@${host.codeServer}`,
    `${nodePackage()}@${host.node}`,
    `playwright-core@${playwrightVersion}`,
    `node-gyp@${nodeGypVersion}`,
  ]);
  await steps.npm('modules of VS Code', vscode);
  await steps.npm('modules of its extensions', join(vscode, 'extensions'));
  const trim = join(vscode, 'extensions/postinstall.mjs');
  if (existsSync(trim)) await steps.run('trimming the extensions', vscode, nodeBinary(modules), [trim]);
  await linkBinaries(vscode);
  if (host.debian.includes('ripgrep')) await linkRipgrep(vscode);
  const nodeGyp = join(modules, 'node-gyp/bin/node-gyp.js');
  for (const { module, gyp = [] } of host.natives) {
    const rebuild = [nodeGyp, 'rebuild', `--nodedir=${join(modules, nodePackage())}`, ...gyp];
    await steps.run(`compiling ${basename(module)}`, join(modules, module), nodeBinary(modules), rebuild);
    await steps.run(`loading ${basename(module)}`, join(modules, module), nodeBinary(modules), ['-e', 'require(".")']);
  }

  await writeFile(join(temp, 'stamp.json'), stamp);
  await rm(dir, { recursive: true, force: true });
  await rename(temp, dir);
  console.error(`host: VS Code ${host.vscode} is installed`);
}

/** The links that code-server's own postinstall script makes. @param {string} vscode */
async function linkBinaries(vscode) {
  await linkOnce('code-linux.sh', join(vscode, 'bin/remote-cli/code-server'));
  await linkOnce('browser-linux.sh', join(vscode, 'bin/helpers/browser.sh'));
}

/** The older host downloads its search tool in a postinstall script; Debian has the same one. @param {string} vscode */
async function linkRipgrep(vscode) {
  const bin = join(vscode, 'node_modules/@vscode/ripgrep/bin');
  await mkdir(bin, { recursive: true });
  await linkOnce(onPath('rg'), join(bin, 'rg'));
}

/** @param {string} target @param {string} path */
async function linkOnce(target, path) {
  if (!existsSync(path)) await symlink(target, path);
}

/** Leftovers of installers that were killed; nobody else is at work, for we hold the lock. @param {string} dir */
async function removeUnfinished(dir) {
  await mkdir(hostHome, { recursive: true });
  for (const name of await readdir(hostHome)) {
    const path = join(hostHome, name);
    if (path.startsWith(`${dir}.installing-`)) await rm(path, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** @param {string} dir @param {string} stamp */
async function isStamped(dir, stamp) {
  return (await readFile(join(dir, 'stamp.json'), 'utf8').catch(() => '')) === stamp;
}

const nodePackage = () => `node-linux-${process.arch}`;

/** @param {string} modules */
const nodeBinary = (modules) => join(modules, nodePackage(), 'bin/node');

await asScript(import.meta, async ([name = 'current']) => {
  const { dir } = await installVscode(parseHostName(name));
  console.log(dir);
});
