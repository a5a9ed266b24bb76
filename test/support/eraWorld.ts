// An agent of one era and the fixture server of the other, with the bridge between them: over HTTP or stdio, and SDK
// clients that know nothing of it.
import { fileURLToPath } from 'node:url';
import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernTransport,
  type ClientOptions,
} from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { ClientCapabilities } from '@modelcontextprotocol/sdk/types.js';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { EraBridge } from '../../src/upstream/eras/eraBridge.ts';
import { HttpUpstream } from '../../src/upstream/httpUpstream.ts';
import { StdioUpstream } from '../../src/upstream/stdioUpstream.ts';
import type { TranslatedForm, Upstream, UpstreamRequest, UpstreamResponse } from '../../src/upstream/upstream.ts';
import { bothErasCommand, startBothEras } from './bothEras.ts';
import { serveUpstream } from './upstreamServer.ts';

export type Way = 'http' | 'stdio';

export const everything = fileURLToPath(
  new URL('../../node_modules/@modelcontextprotocol/server-everything/dist/index.js', import.meta.url),
);

/** The fixture server of one era. */
export async function fixtureUpstream(way: Way, era: 'legacy' | 'modern' | 'both', port = 0): Promise<Upstream> {
  if (way === 'stdio') return commandUpstream(bothErasCommand('--era', era));
  return httpUpstreamAt((await startBothEras(['--era', era], port)).url);
}

export function httpUpstreamAt(url: string): Upstream {
  return new HttpUpstream({ url, headers: {}, clock: systemClock });
}

export function commandUpstream([command = '', ...args]: string[]): Upstream {
  return new StdioUpstream({ command, args, env: {}, cwd: process.cwd() });
}

/** What the bridge said to the server and heard of it, as the gateway would record it. */
export class Noted implements Upstream {
  readonly kind;
  readonly forms: TranslatedForm[] = [];
  readonly statuses: number[] = [];
  readonly #upstream: Upstream;

  constructor(upstream: Upstream) {
    this.#upstream = upstream;
    this.kind = upstream.kind;
  }

  check(signal: AbortSignal): ReturnType<Upstream['check']> {
    return this.#upstream.check(signal);
  }

  async forward(request: UpstreamRequest): Promise<UpstreamResponse> {
    const answer = await this.#upstream.forward({ ...request, note: (form) => this.forms.push(form) });
    this.statuses.push(answer.status);
    return answer;
  }

  onEvent(listener: Parameters<Upstream['onEvent']>[0]): () => void {
    return this.#upstream.onEvent(listener);
  }

  close(): Promise<void> {
    return this.#upstream.close();
  }
}

export type EraWorld = { url: string; noted: Noted; bridge: EraBridge };

/** Served over HTTP to any client. */
export async function eraWorld(upstream: Upstream): Promise<EraWorld> {
  const bridge = new EraBridge({ upstream });
  onTestFinished(() => bridge.close());
  await bridge.check(new AbortController().signal);
  const noted = new Noted(bridge);
  const server = await serveUpstream(noted);
  onTestFinished(() => server.close());
  return { url: server.url, noted, bridge };
}

/** The SDK's client of the older eras. */
export async function legacyAgent(
  url: string,
  capabilities: ClientCapabilities = {},
  prepare?: (client: Client) => void,
): Promise<Client> {
  const client = new Client({ name: 'legacy-agent', version: '1.0.0' }, { capabilities });
  prepare?.(client);
  onTestFinished(() => client.close());
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  return client;
}

/** The SDK's client of the modern era, which takes no other. */
export async function modernAgent(
  url: string,
  capabilities: ClientOptions['capabilities'] = {},
  prepare?: (client: ModernClient) => void,
  mode: 'auto' | { pin: string } = { pin: '2026-07-28' },
): Promise<ModernClient> {
  const client = new ModernClient(
    { name: 'modern-agent', version: '1.0.0' },
    { capabilities, versionNegotiation: { mode } },
  );
  prepare?.(client);
  onTestFinished(() => client.close());
  await client.connect(new ModernTransport(new URL(url)));
  return client;
}
