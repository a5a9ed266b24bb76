// A double of a certificate authority, for what a real one does not do on demand: it believes whatever it is told, and
// answers as a test says. That signatures, nonces and proofs are right is shown against real ones (`acmeServers.ts`).
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type { Authority } from '../../src/certs/authority.ts';
import { readCsr } from '../../src/certs/csr.ts';
import { pem } from '../../src/certs/der.ts';
import { makeKeyPair } from '../../src/certs/keyPair.ts';
import type { Clock } from '../../src/core/clock.ts';
import { anAuthority } from './certs.ts';

export type AcmeCall = { method: string; path: string; body: string; payload: unknown };
export type Reply = { status?: number; headers?: Record<string, string>; json?: unknown; text?: string };

export class AcmeDouble {
  readonly calls: AcmeCall[] = [];
  /** What is answered in place of the usual; `undefined` is the usual. */
  answer: (call: AcmeCall) => Reply | undefined | Promise<Reply | undefined> = () => undefined;
  readonly authority: Authority;
  readonly name: string;
  readonly #server: Server;
  #hostname = '';
  #chain = '';
  #status = 'pending';

  /** `name` is what it is reached by, whatever address that has. */
  static async start(clock: Clock, name = 'ca.example'): Promise<AcmeDouble> {
    const authority = await anAuthority({ clock });
    const key = await makeKeyPair();
    const cert = authority.issueServer({ names: [name, 'localhost'], publicKey: key.publicKey, days: 365 });
    const double = new AcmeDouble(authority, key.privateKeyPem, cert, name);
    await new Promise<void>((settle) => double.#server.listen(0, '127.0.0.1', settle));
    onTestFinished(() => double.close());
    return double;
  }

  private constructor(authority: Authority, key: string, cert: string, name: string) {
    this.authority = authority;
    this.name = name;
    this.#server = createServer({ key, cert }, (request, response) => void this.#serve(request, response));
  }

  get origin(): string {
    return `https://${this.name}:${(this.#server.address() as AddressInfo).port}`;
  }

  get directory(): string {
    return `${this.origin}/directory`;
  }

  /** Requests for a resource. */
  count(path: string): number {
    return this.calls.filter((call) => call.path === path).length;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((settle) => this.#server.close(() => settle()));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const call = { method: request.method ?? '', path: request.url ?? '', body, payload: payloadOf(body) };
    this.calls.push(call);
    const { status = 200, headers = {}, json, text } = (await this.answer(call)) ?? this.#usual(call);
    response.writeHead(status, {
      'replay-nonce': 'nonce',
      ...(json === undefined ? {} : { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' }),
      ...headers,
    });
    response.end(json === undefined ? (text ?? '') : JSON.stringify(json));
  }

  #usual({ path, payload }: AcmeCall): Reply {
    const { origin } = this;
    if (path === '/directory') {
      const of = (resource: string): string => `${origin}/${resource}`;
      return { json: { newNonce: of('nonce'), newAccount: of('account'), newOrder: of('order') } };
    }
    if (path === '/account') return { status: 201, json: {}, headers: { location: `${origin}/account/1` } };
    if (path === '/order') {
      this.#hostname = (payload as { identifiers: { value: string }[] }).identifiers[0]!.value;
      this.#status = 'pending';
      return { status: 201, json: this.order(), headers: { location: `${origin}/order/1` } };
    }
    if (path === '/order/1') return { json: this.order() };
    if (path === '/authorization') return { json: this.authorization() };
    if (path === '/challenge') {
      this.#status = 'ready';
      return { json: {} };
    }
    if (path === '/finalize') {
      const { csr } = payload as { csr: string };
      const { publicKey } = readCsr(pem('CERTIFICATE REQUEST', Buffer.from(csr, 'base64url')));
      const leaf = this.authority.issueServer({ names: [this.#hostname], publicKey, days: 90 });
      this.#chain = leaf + this.authority.certificatePem;
      this.#status = 'valid';
      return { json: this.order() };
    }
    if (path === '/certificate') return { text: this.#chain };
    return { text: '' };
  }

  order(changes: object = {}): object {
    const of = (resource: string): string => `${this.origin}/${resource}`;
    const status = this.#status;
    const certificate = status === 'valid' ? { certificate: of('certificate') } : {};
    return { status, finalize: of('finalize'), authorizations: [of('authorization')], ...certificate, ...changes };
  }

  authorization(changes: object = {}): object {
    const status = this.#status === 'pending' ? 'pending' : 'valid';
    const challenge = { type: 'tls-alpn-01', url: `${this.origin}/challenge`, status, token: 'token' };
    return { status, identifier: { type: 'dns', value: this.#hostname }, challenges: [challenge], ...changes };
  }
}

function payloadOf(body: string): unknown {
  if (body === '') return undefined;
  const { payload } = JSON.parse(body) as { payload: string };
  return payload === '' ? undefined : (JSON.parse(Buffer.from(payload, 'base64url').toString()) as unknown);
}
