// Three edges as processes of their own, which share a registry in a real NATS, and machines that are enrolled at them.
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { expect } from 'vitest';
import { policy } from '../soak/cuts.ts';
import { runCommand, startCommand, type Line, type Ready, type RunningCommand } from '../support/command.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/until.ts';
import { freePort, NatsServer } from './natsServer.ts';

export const fleetDomain = 'fleet.localhost';

export type FleetNode = { port: number; data: string; health: number; command: RunningCommand };
export type Machine = { home: string; connector: string };
export type Tunnel = { command: RunningCommand; ready: Ready; ca: string };

export class Fleet {
  readonly nats: NatsServer;
  readonly nodes: FleetNode[] = [];

  /** Ends with the test. The first node makes the CA; its files are brought to the others, as an operator does it. */
  static async start(size = 3): Promise<Fleet> {
    const fleet = new Fleet(await NatsServer.start());
    for (let index = 0; index < size; index += 1) await fleet.#add();
    await fleet.settled();
    return fleet;
  }

  private constructor(nats: NatsServer) {
    this.nats = nats;
  }

  get place(): string {
    return `${fleetDomain}:${this.nodes[0]?.port}`;
  }

  /** Starts a node again that was killed, at the same port and on the same data. */
  async restart(index: number): Promise<void> {
    const node = this.nodes[index]!;
    node.command = await this.#run(node);
  }

  async kill(index: number): Promise<void> {
    await this.nodes[index]!.command.stop('SIGKILL');
  }

  /** Every node that runs is ready: it listens, and follows the registry. */
  async settled(): Promise<void> {
    for (const { health } of this.nodes)
      await until(
        async () => ((answer) => answer['ready'] === true && answer['registry'] === 'reached')(await readiness(health)),
        20_000,
      );
  }

  /** A verb, at the node of this index. */
  async verb(index: number, ...words: string[]): Promise<Line[]> {
    const { data } = this.nodes[index]!;
    const { code, lines, stderr } = await runCommand(['edge', ...words, '--data', data, '--json'], { home: data });
    expect(code, stderr).toBe(0);
    return lines;
  }

  /** A machine that is enrolled at the first node, with a token of another. */
  async machine(): Promise<Machine> {
    const home = await temporaryFolder();
    await mkdir(home, { recursive: true });
    // Each node is a destination of its own: the edge names them, and the policy has the last word.
    const places = [this.place, ...this.nodes.map(({ port }) => `127.0.0.1:${port}`)];
    await writeFile(join(home, 'policy.json'), policy(...places));
    const [minted] = await this.verb(this.nodes.length - 1, 'token');
    const enrol = ['enroll', this.place, '--json', '--token-file', '-', '--pin', String(minted?.['pin'])];
    const { lines, code, stderr } = await runCommand(enrol, { home, input: String(minted?.['token']) });
    expect(code, stderr).toBe(0);
    return { home, connector: String(lines[0]?.['connector']) };
  }

  async expose({ home }: Machine, name: string, words: readonly string[]): Promise<Tunnel> {
    const through = ['--carrier', 'edge', '--edge', this.place, '--name', name];
    const command = startCommand(['expose', '--json', ...through, ...words], { home });
    const ready = (await command.line('ready')) as unknown as Ready;
    return { command, ready, ca: await readFile(ready.caFile, 'utf8') };
  }

  async #add(): Promise<void> {
    const data = await temporaryFolder();
    const [first] = this.nodes;
    if (first) {
      for (const name of ['authority.pem', 'server-key.pem']) await copyFile(join(first.data, name), join(data, name));
    }
    const node = { data, port: await freePort(), health: await freePort() };
    this.nodes.push({ ...node, command: await this.#run(node) });
  }

  async #run({ data, port, health }: Omit<FleetNode, 'command'>): Promise<RunningCommand> {
    const where = ['--listen', `127.0.0.1:${port}`, '--health', `127.0.0.1:${health}`, '--data', data];
    const words = ['edge', 'run', '--json', '--domain', fleetDomain, ...where, '--registry', this.nats.url];
    const command = startCommand(words, { home: data });
    await command.line('ready');
    return command;
  }
}

/** What a node's `/readyz` says; `{}` where it does not answer. */
export function readiness(port: number): Promise<Record<string, unknown>> {
  return new Promise((resolve) => {
    const asked = request({ host: '127.0.0.1', port, path: '/readyz' }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.once('end', () => resolve(JSON.parse(text) as Record<string, unknown>));
    });
    asked.once('error', () => resolve({})).end();
  });
}
