// What is behind TLS beside the gateway: as many bytes as are asked for, a sink, and events that carry the time at which
// they were written. `process.hrtime` is one clock for all processes of a Linux machine.
import type { IncomingMessage, ServerResponse } from 'node:http';

const chunk = Buffer.alloc(256 * 1024, 'x');

export function serveBare(request: IncomingMessage, response: ServerResponse): void {
  const { searchParams } = new URL(request.url ?? '/', 'http://bench');
  const down = Number(searchParams.get('down') ?? 0);
  const events = Number(searchParams.get('events') ?? 0);
  if (events > 0) return sendEvents(response, events, Number(searchParams.get('everyMs') ?? 5));
  let received = 0;
  request.on('data', (bytes: Buffer) => (received += bytes.length));
  request.on('end', () => {
    if (down === 0) return void response.end(String(received));
    response.writeHead(200, { 'content-length': down });
    sendBytes(response, down);
  });
}

function sendBytes(response: ServerResponse, bytes: number): void {
  let left = bytes;
  const more = (): void => {
    while (left > 0 && !response.destroyed) {
      const part = left >= chunk.length ? chunk : chunk.subarray(0, left);
      left -= part.length;
      if (!response.write(part)) return void response.once('drain', more);
    }
    response.end();
  };
  more();
}

function sendEvents(response: ServerResponse, events: number, everyMs: number): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
  let left = events;
  const timer = setInterval(() => {
    response.write(`data: ${process.hrtime.bigint()}\n\n`);
    left -= 1;
    if (left > 0) return;
    clearInterval(timer);
    response.end();
  }, everyMs);
  response.once('close', () => clearInterval(timer));
}
