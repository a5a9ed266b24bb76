import { afterEach, expect, it, vi } from 'vitest';
import { Emitter } from '../../../src/core/emitter.ts';

afterEach(() => vi.unstubAllGlobals());

it('tells every listener until it unsubscribes', () => {
  const emitter = new Emitter<number>();
  const heard: string[] = [];
  const stop = emitter.on((value) => heard.push(`a${value}`));
  emitter.on((value) => heard.push(`b${value}`));
  emitter.emit(1);
  stop();
  emitter.emit(2);
  expect(heard).toEqual(['a1', 'b1', 'b2']);
});

it('lets the same function listen twice, each time for itself', () => {
  const emitter = new Emitter<number>();
  const listener = vi.fn();
  const stop = emitter.on(listener);
  emitter.on(listener);
  stop();
  emitter.emit(1);
  expect(listener).toHaveBeenCalledTimes(1);
});

it('tells the others when one throws, and lets the fault show', () => {
  const later: (() => void)[] = [];
  vi.stubGlobal('queueMicrotask', (callback: () => void) => later.push(callback));
  const emitter = new Emitter<number>();
  const heard: number[] = [];
  emitter.on(() => {
    throw new Error('my own fault');
  });
  emitter.on((value) => heard.push(value));
  emitter.emit(1);
  expect(heard).toEqual([1]);
  expect(later[0]).toThrow('my own fault');
});
