// A way in for programs that can be given a URL and nothing else, no token and no CA: plain HTTP on loopback here, the
// tunnel's TLS with the bearer there. Headers cross as they came, letter for letter and in their order; Host and Origin
// are changed only where they name this adapter, so that forged ones reach the tunnel as they are.
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Agent, request as requestHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import type { AgentAccess } from './sdkAgent.ts';

export class AgentAdapter {
  readonly #server: Server;
  readonly #agent: Agent;
  readonly #tunnel: URL;
  readonly #token: string;

  static async to({ url, token, caFile }: AgentAccess): Promise<AgentAdapter> {
    const adapter = new AgentAdapter(new URL(url), token, await readFile(caFile, 'utf8'));
    await new Promise<void>((resolve) => adapter.#server.listen(0, '127.0.0.1', resolve));
    return adapter;
  }

  private constructor(tunnel: URL, token: string, ca: string) {
    this.#tunnel = tunnel;
    this.#token = token;
    // The name for TLS is always the tunnel's: the edge finds the way by it, whatever Host says.
    this.#agent = new Agent({ keepAlive: true, ca, servername: tunnel.hostname });
    this.#server = createServer((request, response) => this.#pass(request, response));
    this.#server.requestTimeout = 0;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/mcp`;
  }

  async close(): Promise<void> {
    this.#agent.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #pass(request: IncomingMessage, response: ServerResponse): void {
    const there = requestHttps({
      host: '127.0.0.1',
      port: this.#tunnel.port,
      agent: this.#agent,
      method: request.method,
      path: request.url,
      headers: this.#headers(request.rawHeaders),
      setHost: false,
    });
    there.on('response', (answer) => {
      response.sendDate = false;
      response.writeHead(answer.statusCode ?? 0, answer.statusMessage, answer.rawHeaders);
      response.flushHeaders();
      pipeline(answer, response, () => {}); // Whoever ends early ends the other, too.
    });
    there.on('error', () => response.destroy());
    // Leaving is something that an agent says by closing, so it has to be passed on.
    response.on('close', () => there.destroy());
    pipeline(request, there, () => {});
  }

  #headers(raw: readonly string[]): string[] {
    const { port } = this.#server.address() as AddressInfo;
    const own = new Set(['127.0.0.1', 'localhost', '[::1]'].map((name) => `${name}:${port}`));
    const passed: string[] = [];
    for (let at = 0; at < raw.length; at += 2) {
      const [name, value] = [raw[at]!, raw[at + 1]!];
      const isHost = /^host$/i.test(name) && own.has(value);
      const isOrigin = /^origin$/i.test(name) && own.has(value.replace('http://', ''));
      passed.push(name, isHost ? this.#tunnel.host : isOrigin ? this.#tunnel.origin : value);
    }
    return [...passed, 'Authorization', `Bearer ${this.#token}`];
  }
}
