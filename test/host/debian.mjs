// The Debian packages that the tests in a real VS Code need: a browser, fonts for its screenshots, and a compiler for
// the host's two native modules. All present costs one dpkg-query and never touches apt.
// CLI: node test/host/debian.mjs [package…]
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { asScript } from './asScript.mjs';
import { exclusively } from './exclusively.mjs';
import { hostHome } from './places.mjs';

/** What every host needs. */
export const hostPackages = ['chromium', 'fonts-dejavu-core', 'fonts-liberation', 'g++', 'make', 'python3', 'git'];

/**
 * Installs those of `names` that are missing when it may (root on Debian); otherwise throws one sentence that says
 * which are missing and how to install them.
 * @param {readonly string[]} names
 */
export async function ensureDebianPackages(names = hostPackages) {
  if ((await missing(names)).length === 0) return;
  if (process.getuid?.() !== 0) throw new Error(sentence(await missing(names)));
  await exclusively(join(hostHome, 'debian.lock'), async () => {
    const wanted = await missing(names);
    if (wanted.length === 0) return;
    console.error(`debian: installing ${wanted.join(' ')}`);
    await aptGet('update', '-qq');
    await aptGet('install', '-y', '-qq', '--no-install-recommends', ...wanted);
    const still = await missing(wanted);
    if (still.length > 0) throw new Error(sentence(still));
  });
}

/**
 * @param {readonly string[]} names
 * @returns {Promise<string[]>}
 */
async function missing(names) {
  const query = ['-W', '-f', '${db:Status-Status} ${Package}\n', ...names];
  // It exits 1 for a name it never heard of, and still lists the others.
  const listed = await promisify(execFile)('dpkg-query', query).catch((error) => error);
  if (listed.code === 'ENOENT') {
    throw new Error(`This is not a Debian machine; install the equivalents of: ${names.join(' ')}.`);
  }
  const installed = new Set(String(listed.stdout).split('\n').filter(isInstalled).map(packageOf));
  return names.filter((name) => !installed.has(name));
}

/** @param {string} line */
const isInstalled = (line) => line.startsWith('installed ');

/** @param {string} line */
const packageOf = (line) => line.slice('installed '.length);

/** @param {readonly string[]} names */
function sentence(names) {
  const list = names.join(' ');
  return `Debian packages are missing: ${list}; install them with: sudo apt-get install -y --no-install-recommends ${list}`;
}

/** @param {...string} args */
async function aptGet(...args) {
  const child = spawn('apt-get', ['-o', 'DPkg::Lock::Timeout=300', '-o', 'Dpkg::Use-Pty=0', ...args], {
    // stdout may be a result that someone parses; apt speaks on stderr like the rest of our progress.
    stdio: ['ignore', 2, 2],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`apt-get ${args[0]} ended with exit code ${code}`);
}

await asScript(import.meta, (names) => ensureDebianPackages(names.length > 0 ? names : hostPackages));
