import { expect, it } from 'vitest';
import { portPair } from '../../../src/protocol/portPair.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('delivers in order and never within the call that sends', async () => {
  const [left, right] = portPair();
  const heard: string[] = [];
  right.onMessage((text) => heard.push(text));
  left.send('a');
  left.send('b');
  expect(heard).toEqual([]);
  await turn();
  expect(heard).toEqual(['a', 'b']);
});

it('keeps what came before there was a receiver', async () => {
  const [left, right] = portPair();
  left.send('a');
  await turn();
  left.send('b');
  const heard: string[] = [];
  right.onMessage((text) => heard.push(text));
  await turn();
  expect(heard).toEqual(['a', 'b']);
});

it('delivers what was sent before it closed, and nothing after', async () => {
  const [left, right] = portPair();
  const heard: string[] = [];
  right.onMessage((text) => heard.push(text));
  right.onClose(() => heard.push('closed'));
  left.send('last words');
  left.close();
  left.send('too late');
  await turn();
  expect(heard).toEqual(['last words', 'closed']);
});

it('tells both sides once that it closed, also a side that asks later', async () => {
  const [left, right] = portPair();
  const heard: string[] = [];
  left.onClose(() => heard.push('left'));
  left.close();
  left.close();
  await turn();
  right.onClose(() => heard.push('right'));
  expect(heard).toEqual(['left', 'right']);
});
