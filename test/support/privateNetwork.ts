// A network of a test's own, with names of its own and every port free, 443 included: Linux namespaces, as root or as
// anybody whose kernel lets users make them. Where neither is possible the test fails and says so.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { debianPackages } from './debianPackages.ts';
import { temporaryFolder } from './temporaryFolder.ts';

const script = 'ip link set lo up && mount --bind "$1" /etc/hosts && echo up && exec cat';

export class PrivateNetwork {
  readonly #pid: number;

  /** `names` lead to its loopback. */
  static async open(names: readonly string[]): Promise<PrivateNetwork> {
    await debianPackages('iproute2', 'util-linux');
    const hosts = join(await temporaryFolder(), 'hosts');
    await writeFile(hosts, `127.0.0.1 localhost ${names.join(' ')}\n`);
    const holder = spawn('unshare', [isRoot ? '-nm' : '-Urnm', 'sh', '-c', script, 'sh', hosts], { stdio: 'pipe' });
    const ended = once(holder, 'close');
    onTestFinished(async () => {
      holder.stdin.end();
      await ended;
    });
    let said = '';
    holder.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const up = await Promise.race([once(holder.stdout, 'data'), ended.then(() => undefined)]);
    if (!up) {
      throw new Error(
        `this test needs a network namespace: run it as root, or let users make them (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0). unshare said: ${said}`,
      );
    }
    return new PrivateNetwork(holder.pid!);
  }

  private constructor(pid: number) {
    this.#pid = pid;
  }

  /** What stands in front of a command that runs there. */
  readonly within = (cwd: string): readonly string[] => {
    const user = isRoot ? [] : ['-U', '--preserve-credentials'];
    return ['nsenter', '-t', String(this.#pid), '-n', '-m', ...user, `--wd=${cwd}`, '--'];
  };
}

const isRoot = process.getuid?.() === 0;
