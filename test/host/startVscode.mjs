// A running VS Code for one test: own profile, own environment, own port, own process group.
// close() ends every process and removes every file that it brought along.
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostEnvironment, quietSettings } from './hostEnvironment.mjs';
import { installVscode } from './installVscode.mjs';
import { ProcessGroup } from './processGroup.mjs';
import { until } from './until.mjs';

const startTimeoutMs = 60_000;

const alwaysArgs = [
  '--bind-addr=127.0.0.1:0',
  '--auth=none',
  '--disable-telemetry',
  '--disable-update-check',
  '--disable-getting-started-override',
  '--disable-proxy',
  '--ignore-last-opened',
];

/**
 * @typedef {object} StartOptions
 * @property {import('./hosts.mjs').HostName} [host]
 * @property {string} [extensionVsix] installed before the start
 * @property {string} [userDataDir] a profile to keep over restarts, with a short path; without it one that goes with close()
 * @property {Readonly<Record<string, unknown>>} [settings] user settings on top of the quiet ones
 * @property {boolean} [workspaceTrust] true: folders are untrusted until someone trusts them
 * @property {Readonly<Record<string, string>>} [env] on top of the clean environment
 * @property {boolean} [smokeTestDriver] true: the window obeys extensionTestsPath, and shows no toasts
 * @property {readonly string[]} [args] more arguments for code-server
 */

/** @param {StartOptions} [options] */
export async function startVscode(options = {}) {
  const installed = await installVscode(options.host);
  const dir = await mkdtemp(join(tmpdir(), 'vsc-'));
  const vscode = new Vscode(installed, dir, options);
  try {
    await vscode.start();
    return vscode;
  } catch (error) {
    await vscode.close();
    throw error;
  }
}

export class Vscode {
  #installed;
  #dir;
  #options;
  #serverLog;
  /** @type {ProcessGroup | undefined} */
  #group;
  /** @type {Promise<void> | undefined} */
  #closing;

  /** The server's root, `http://127.0.0.1:PORT/`; a window is opened with `openWorkbench`. */
  url = '';
  userDataDir;
  /** VS Code's own logs. */
  logDir;
  /** What `vscode.version` reports. */
  version;
  /** Path of playwright-core, for the browser. */
  playwright;

  /**
   * @param {import('./installVscode.mjs').InstalledHost} installed
   * @param {string} dir ours, removed at the end
   * @param {StartOptions} options
   */
  constructor(installed, dir, options) {
    this.#installed = installed;
    this.#dir = dir;
    this.#options = options;
    this.#serverLog = join(dir, 'server.log');
    this.userDataDir = options.userDataDir ?? join(dir, 'profile');
    this.logDir = join(this.userDataDir, 'logs');
    this.version = installed.host.vscode;
    this.playwright = installed.playwright;
  }

  async start() {
    const { extensionVsix, workspaceTrust, smokeTestDriver, args = [] } = this.#options;
    await this.#writeSettings();
    if (extensionVsix) await this.installExtension(extensionVsix);
    this.#group = await this.#run([
      ...alwaysArgs,
      ...(workspaceTrust ? [] : ['--disable-workspace-trust']),
      ...(smokeTestDriver ? this.#installed.host.smokeTestDriver : []),
      ...args,
    ]);
    const { leader } = this.#group;
    const address = async () => {
      const said = await readFile(this.#serverLog, 'utf8');
      if (leader.exitCode !== null) throw new Error(`VS Code ended with exit code ${leader.exitCode}:\n${said}`);
      return /HTTP server listening on (http:\S+)/.exec(said)?.[1];
    };
    this.url = new URL(await until('VS Code to listen', address, startTimeoutMs)).href;
  }

  /** Into the running profile too; a window sees it after a reload. @param {string} vsix path of the file */
  async installExtension(vsix) {
    const group = await this.#run(['--install-extension', vsix, '--force']);
    const [code] = await once(group.leader, 'exit');
    await group.close();
    if (code !== 0) throw new Error(`VS Code refused ${vsix}:\n${await readFile(this.#serverLog, 'utf8')}`);
  }

  /** Copies the server's output and VS Code's logs into `dir`. @param {string} dir */
  async keepLogs(dir) {
    await mkdir(dir, { recursive: true });
    await cp(this.#serverLog, join(dir, 'server.log'), { force: true });
    await cp(this.logDir, join(dir, 'vscode-logs'), { recursive: true, force: true }).catch(() => {
      // It ended before it logged: the server's output is all there is.
    });
  }

  /** The ids of the server's living processes, the extension hosts among them. */
  async processes() {
    return (await this.#group?.members()) ?? [];
  }

  /** Ends every process of the server and removes its files. @returns {Promise<void>} */
  close() {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end() {
    await this.#group?.close();
    await rm(this.#dir, { recursive: true, force: true });
  }

  async #writeSettings() {
    const user = join(this.userDataDir, 'User');
    await mkdir(user, { recursive: true });
    const settings = { ...quietSettings, ...this.#options.settings };
    await writeFile(join(user, 'settings.json'), JSON.stringify(settings, undefined, 2));
  }

  /** @param {readonly string[]} args */
  async #run(args) {
    const env = await hostEnvironment(this.#dir, this.#options.env);
    const places = [
      `--user-data-dir=${this.userDataDir}`,
      `--extensions-dir=${join(this.userDataDir, 'extensions')}`,
      `--config=${join(this.#dir, 'config.yaml')}`,
      `--session-socket=${join(this.#dir, 'session.sock')}`,
    ];
    const log = await open(this.#serverLog, 'a');
    try {
      const command = [this.#installed.codeServer, ...places, ...args];
      return new ProcessGroup(this.#installed.node, command, { cwd: this.#dir, env, output: log.fd });
    } finally {
      await log.close();
    }
  }
}
