// A real nats-server, from Debian's packages, with its store in a folder of its own: killed and started again at the
// same port as a test wants it.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { debianPackages } from '../support/debianPackages.ts';
import { until } from '../support/until.ts';

export class NatsServer {
  readonly port: number;
  readonly url: string;
  readonly #folder: string;
  readonly #words: readonly string[];
  #child: ChildProcess | undefined;
  #said = '';

  /** Ends with the test. `words` are options of nats-server. */
  static async start(words: readonly string[] = []): Promise<NatsServer> {
    await debianPackages('nats-server');
    const folder = await mkdtemp(join(tmpdir(), 'mcpt-nats-'));
    const server = new NatsServer(await freePort(), folder, words);
    onTestFinished(async () => {
      await server.kill();
      await rm(folder, { recursive: true, force: true });
    });
    await server.restart();
    return server;
  }

  private constructor(port: number, folder: string, words: readonly string[]) {
    this.port = port;
    this.url = `nats://127.0.0.1:${port}`;
    this.#folder = folder;
    this.#words = words;
  }

  async restart(): Promise<void> {
    const words = [
      '-js',
      '-sd',
      join(this.#folder, 'store'),
      '-a',
      '127.0.0.1',
      '-p',
      String(this.port),
      ...this.#words,
    ];
    const child = spawn('nats-server', words, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#said += text));
    await until(
      () => answers(this.port),
      10_000,
      () => `nats-server does not answer: ${this.#said.slice(-1000)}`,
    );
  }

  /** As a crash or a cut cable: nothing is said to anybody. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** What it knew is gone. */
  async forget(): Promise<void> {
    await rm(join(this.#folder, 'store'), { recursive: true, force: true });
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('data', () => settle(true)).once('error', () => settle(false));
    const settle = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
  });
}
