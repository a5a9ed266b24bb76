// The commands of an install: one progress line each on stderr, what they print in a log that a failure quotes,
// and none of the environment that `npm run` or a test runner left behind.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';

const quotedLines = 30;

export class InstallSteps {
  #log;

  /** @param {string} log path of the log file */
  constructor(log) {
    this.#log = log;
  }

  /**
   * Installs `packages`, or what the package.json in `cwd` asks for; no script of any package runs.
   * @param {string} what
   * @param {string} cwd
   * @param {readonly string[]} packages
   */
  async npm(what, cwd, packages = []) {
    const flags = ['--no-save', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    await this.run(what, cwd, 'npm', ['install', ...flags, ...packages]);
  }

  /**
   * @param {string} what
   * @param {string} cwd
   * @param {string} command
   * @param {readonly string[]} args
   */
  async run(what, cwd, command, args) {
    const startMs = performance.now();
    const log = await open(this.#log, 'a');
    const child = spawn(command, args, { cwd, env: ownEnvironment(), stdio: ['ignore', log.fd, log.fd] });
    const [code] = await once(child, 'close').finally(() => log.close());
    if (code !== 0) {
      const said = (await readFile(this.#log, 'utf8')).trimEnd().split('\n').slice(-quotedLines);
      throw new Error(`${what}: ${command} in ${cwd} ended with exit code ${code}\n${said.join('\n')}`);
    }
    console.error(`host: ${what}, ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
  }
}

/** The user's own npm_config_* stay: they may name the registry. */
function ownEnvironment() {
  const foreign = /^(npm_(?!config_)|npm_config_(local_prefix|workspace)|INIT_CWD$|NODE_OPTIONS$|NODE_V8_COVERAGE$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}
