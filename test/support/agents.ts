// Agents as they come from outside: HTTPS by hostname, with the name in SNI, over HTTP/1.1 or HTTP/2.
// The look-up is the only thing that is not as it would be: every name is this machine.
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { request as requestHttps, type RequestOptions } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { pipeline, Readable, type Writable } from 'node:stream';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';

/** `tls`: what else the agent does in TLS; a certificate of its own, an older version. */
export type Target = { hostname: string; port: number; ca: string; tls?: ConnectionOptions };
export type Call = { method?: string; path?: string; headers?: Record<string, string>; body?: Buffer | Readable };
export type Answer = { status: number; headers: Record<string, unknown>; body: Buffer };

export function connectAgent({ hostname, port, ca, tls }: Target, options: ConnectionOptions = {}): TLSSocket {
  const socket = connectTls({ host: '127.0.0.1', port, servername: hostname, ca, ...tls, ...options });
  return socket.on('error', () => {}); // Requests on it tell; without one 'close' does.
}

/** One request on a connection of its own; resolves at the headers. */
export function openHttp1(target: Target, call: Call = {}, signal?: AbortSignal): Promise<IncomingMessage> {
  const options: RequestOptions = {
    createConnection: () => connectAgent(target, { ALPNProtocols: ['http/1.1'] }),
    host: target.hostname,
    port: target.port,
    method: call.method ?? 'GET',
    path: call.path ?? '/',
    headers: call.headers ?? {},
    ...(signal ? { signal } : {}),
  };
  return new Promise((resolve, reject) => {
    const request = requestHttps(options, resolve).on('error', reject);
    sendBody(request, call.body);
  });
}

export async function callHttp1(target: Target, call: Call = {}, signal?: AbortSignal): Promise<Answer> {
  const response = await openHttp1(target, call, signal);
  return { status: response.statusCode ?? 0, headers: response.headers, body: await collect(response) };
}

export function connectAgent2(target: Target): ClientHttp2Session {
  const session = connectHttp2(`https://${target.hostname}:${target.port}`, {
    createConnection: () => connectAgent(target, { ALPNProtocols: ['h2'] }),
  });
  session.on('error', () => {}); // Its requests tell.
  return session;
}

export async function callHttp2(session: ClientHttp2Session, call: Call = {}): Promise<Answer> {
  const stream = session.request(
    { ':method': call.method ?? 'GET', ':path': call.path ?? '/', ...call.headers },
    { endStream: !call.body },
  );
  const head = new Promise<Record<string, unknown>>((resolve, reject) => {
    stream
      .once('response', resolve)
      .once('error', reject)
      .once('close', () => reject(new Error('cut before an answer')));
  });
  head.catch(() => {});
  if (call.body) sendBody(stream, call.body);
  const body = await collect(stream);
  const headers = await head;
  return { status: Number(headers[':status']), headers, body };
}

function sendBody(into: Writable, body: Call['body']): void {
  if (body === undefined) into.end();
  else pipeline(body instanceof Readable ? body : blocks(body), into, () => {}); // The request tells.
}

/** In pieces: Node's HTTP/2 client gives up on a stream that is handed megabytes at once. */
function* blocks(body: Buffer): Generator<Buffer> {
  for (let at = 0; at < body.length; at += 65_536) yield body.subarray(at, at + 65_536);
}

/** Rejects when the bytes end before they should. */
export async function collect(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
