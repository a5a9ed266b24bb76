// Requests that two HTTP readers could take for different ones: refused or cut off, and in no case two for the server.
import { once } from 'node:events';
import { connect } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { authorityOf, aGateway, hostname, request, resultOf, type GatewayWorld } from '../support/gateway.ts';
import { expectNothingLeft } from '../support/leaks.ts';

const body = JSON.stringify(request('tools/call', { name: 'first' }));
const chunked = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;

/** What a smuggler wants the next reader to take for a request of its own. */
function hidden(world: GatewayWorld): string {
  const smuggled = JSON.stringify(request('tools/call', { name: 'smuggled' }));
  return `POST /mcp HTTP/1.1\r\n${usual(world)}Content-Length: ${smuggled.length}\r\n\r\n${smuggled}`;
}

function usual(world: GatewayWorld): string {
  return `Host: ${authorityOf(world.target)}\r\nAuthorization: Bearer ${world.token}\r\nContent-Type: application/json\r\n`;
}

/** Everything that comes back until the gateway closes the connection. */
async function raw(world: GatewayWorld, bytes: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port: world.target.port, servername: hostname, ca: world.target.ca });
  onTestFinished(() => void socket.destroy());
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1'))).on('error', () => {});
  await once(socket, 'secureConnect');
  // A last request that has the connection closed, for those that are answered like any other.
  socket.write(bytes + `GET /end HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`, 'latin1');
  await once(socket, 'close');
  return text;
}

const statuses = (text: string): string[] => [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => match[1]!);

const attempts: [string, (world: GatewayWorld) => string][] = [
  [
    'Content-Length and Transfer-Encoding',
    (w) => `${usual(w)}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}`,
  ],
  [
    'Transfer-Encoding and Content-Length',
    (w) => `${usual(w)}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n${chunked}`,
  ],
  [
    'two different Content-Lengths',
    (w) => `${usual(w)}Content-Length: ${body.length}\r\nContent-Length: 0\r\n\r\n${body}`,
  ],
  [
    'the same Content-Length twice',
    (w) => `${usual(w)}Content-Length: ${body.length}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  ],
  ['a list of Content-Lengths', (w) => `${usual(w)}Content-Length: ${body.length}, ${body.length}\r\n\r\n${body}`],
  ['a signed Content-Length', (w) => `${usual(w)}Content-Length: +${body.length}\r\n\r\n${body}`],
  ['a negative Content-Length', (w) => `${usual(w)}Content-Length: -1\r\n\r\n${body}`],
  ['a hexadecimal Content-Length', (w) => `${usual(w)}Content-Length: 0x10\r\n\r\n${body}`],
  ['a Content-Length beyond all numbers', (w) => `${usual(w)}Content-Length: 18446744073709551617\r\n\r\n${body}`],
  [
    'Transfer-Encoding: identity, chunked hidden',
    (w) => `${usual(w)}Transfer-Encoding: chunked, identity\r\n\r\n${chunked}`,
  ],
  ['an unknown Transfer-Encoding', (w) => `${usual(w)}Transfer-Encoding: xchunked\r\n\r\n${chunked}`],
  ['chunked twice', (w) => `${usual(w)}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}`],
  [
    'a folded header',
    (w) => `${usual(w)}X-Fold: a\r\n Content-Length: 0\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  ],
  [
    'a folded Transfer-Encoding',
    (w) => `${usual(w)}Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n\r\n${chunked}`,
  ],
  ['a space before the colon', (w) => `${usual(w)}Content-Length : ${body.length}\r\n\r\n${body}`],
  ['lines that end in LF alone', (w) => `${usual(w).replaceAll('\r', '')}Content-Length: ${body.length}\n\n${body}`],
  [
    'lines that end in CR alone',
    (w) => `${usual(w)}X: y\rContent-Length: 0\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  ],
  ['a NUL in a header', (w) => `${usual(w)}X: a\0b\r\nContent-Length: ${body.length}\r\n\r\n${body}`],
  ['a header without a name', (w) => `${usual(w)}: chunked\r\nContent-Length: ${body.length}\r\n\r\n${body}`],
  ['a chunk size with a sign', (w) => `${usual(w)}Transfer-Encoding: chunked\r\n\r\n+${chunked}`],
  [
    'a chunk size beyond all numbers',
    (w) => `${usual(w)}Transfer-Encoding: chunked\r\n\r\n10000000000000000${chunked}`,
  ],
  [
    'a chunk that ends in LF alone',
    (w) => `${usual(w)}Transfer-Encoding: chunked\r\n\r\n${chunked.replaceAll('\r\n', '\n')}`,
  ],
  ['a chunk longer than it says', (w) => `${usual(w)}Transfer-Encoding: chunked\r\n\r\n1\r\n${body}\r\n0\r\n\r\n`],
];

describe('a request over HTTP/1.1 with', () => {
  it.each(attempts)('%s is refused, and hides no second one', async (_what, head) => {
    expectNothingLeft();
    const world = await aGateway({ answer: (sent) => resultOf(sent, {}) });
    const text = await raw(world, `POST /mcp HTTP/1.1\r\n${head(world)}${hidden(world)}`);
    const first = statuses(text)[0] ?? 'closed';
    expect(['400', '501', 'closed'], text).toContain(first);
    expect(world.upstream.heard).toEqual([]);
  });

  it('two Hosts, or none, is refused', async () => {
    const world = await aGateway({ answer: (sent) => resultOf(sent, {}) });
    const none = usual(world).replace(/^Host.*\r\n/, '');
    const rest = `Content-Length: ${body.length}\r\n\r\n${body}`;
    expect(statuses(await raw(world, `POST /mcp HTTP/1.1\r\n${none}${rest}`))[0]).toBe('400');
    const two = `${usual(world)}Host: evil.example\r\n`;
    expect(statuses(await raw(world, `POST /mcp HTTP/1.1\r\n${two}${rest}`))[0]).toBe('421');
    expect(world.upstream.heard).toEqual([]);
  });

  it('a body that looks like a request is one request', async () => {
    const world = await aGateway({ answer: (sent) => resultOf(sent, {}) });
    const inner = hidden(world);
    const text = await raw(
      world,
      `POST /mcp HTTP/1.1\r\n${usual(world)}Content-Length: ${inner.length}\r\n\r\n${inner}`,
    );
    expect(statuses(text)).toEqual(['400', '404']);
    expect(world.upstream.heard).toEqual([]);
  });

  it('another behind it in the same packet is two requests, each with its own credential', async () => {
    const world = await aGateway({ answer: (sent) => resultOf(sent, {}) });
    const second = hidden(world).replace(/Authorization.*\r\n/, '');
    const first = `POST /mcp HTTP/1.1\r\n${usual(world)}Content-Length: ${body.length}\r\n\r\n${body}`;
    expect(statuses(await raw(world, first + second))).toEqual(['200', '401', '404']);
    expect(world.upstream.heard).toHaveLength(1);
  });

  it('a credential in one request does not count for the next on the same connection', async () => {
    const world = await aGateway({ answer: (sent) => resultOf(sent, {}) });
    const end = `POST /mcp HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: 2\r\n\r\n{}`;
    expect(statuses(await raw(world, hidden(world) + end))).toEqual(['200', '401', '404']);
  });
});
