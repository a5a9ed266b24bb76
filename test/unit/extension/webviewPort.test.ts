import { expect, it } from 'vitest';
import { acceptPages } from '../../../src/extension/webviewPort.ts';
import type { Port } from '../../../src/protocol/port.ts';

function world() {
  const posted: unknown[] = [];
  const ports: Port[] = [];
  let receive: (message: unknown) => void = () => {};
  const pages = acceptPages(
    {
      postMessage: async (message) => (posted.push(message), true),
      onDidReceiveMessage: (listener) => ((receive = listener), { dispose() {} }),
    },
    (port) => ports.push(port),
  );
  return {
    posted,
    ports,
    pages,
    from: (page: string, text: string) => receive({ page, text }),
    raw: (m: unknown) => receive(m),
  };
}

it('gives each load of the page a port of its own, with what came before the port was read', () => {
  const { ports, posted, from } = world();
  from('one', 'a');
  from('one', 'b');
  expect(ports).toHaveLength(1);
  const heard: string[] = [];
  ports[0]?.onMessage((text) => heard.push(text));
  from('one', 'c');
  expect(heard).toEqual(['a', 'b', 'c']);
  ports[0]?.send('answer');
  expect(posted).toEqual([{ page: 'one', text: 'answer' }]);
});

it('sends nothing of the page before a reload to the one that took its place', () => {
  const { ports, posted, from } = world();
  from('one', 'a');
  let closed = 0;
  ports[0]?.onClose(() => (closed += 1));
  from('two', 'a');
  expect(closed).toBe(1);
  ports[0]?.send('late answer');
  expect(posted).toEqual([]);
  ports[1]?.send('answer');
  expect(posted).toEqual([{ page: 'two', text: 'answer' }]);
});

it('ignores what is no message of the page', () => {
  const { ports, raw } = world();
  for (const odd of [undefined, null, 'text', 7, {}, { page: 'x' }, { page: 1, text: 'a' }]) raw(odd);
  expect(ports).toEqual([]);
});

it('closes the page with the panel', () => {
  const { ports, pages, from } = world();
  from('one', 'a');
  let closed = 0;
  ports[0]?.onClose(() => (closed += 1));
  pages.dispose();
  pages.dispose();
  expect(closed).toBe(1);
});
